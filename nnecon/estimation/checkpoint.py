"""A folder that keeps what a long run has finished, so that a killed run continues.

What is kept are records: dataclasses of arrays and strings, such as
:class:`~nnecon.estimation.problem.Trace`.

Files are named by a fingerprint of everything that their numbers depend on. A folder therefore
serves any number of problems and processes at once: what belongs to another problem is not found,
and two processes that solve the same problem write the same file.
"""

import hashlib
import io
import os
import tempfile
import time
import warnings
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from nnecon.exceptions import NneconWarning, SpecificationError

SUFFIX, UNFINISHED = ".traces", ".part"
ABANDONED = 86400.0
"""Seconds after which a file that was never finished is removed."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Finished tasks in a folder."""

    folder: Path

    @classmethod
    def open(cls, folder: Any) -> "Checkpoint":
        """Make the folder where there is none, and see that it can be written to."""
        try:
            path = Path(folder).expanduser()
            path.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path, suffix=UNFINISHED):
                pass
            for part in path.glob(f"*{UNFINISHED}"):
                # another process may have finished it meanwhile
                if part.exists() and part.stat().st_mtime < time.time() - ABANDONED:
                    part.unlink(missing_ok=True)
        except (TypeError, OSError) as error:
            raise SpecificationError(
                f"checkpoint={folder!r}: pass a folder that can be written to ({error})."
            ) from error
        return cls(path)

    def read(self, key: str, record: type) -> list[Any] | None:
        """Records finished under a key; None where there are none or they are damaged."""
        path = self.folder / f"{key}{SUFFIX}"
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(content[32:]).digest() != content[:32]:
            warnings.warn(
                f"{path} is damaged, and what it held is computed again.",
                NneconWarning,
                stacklevel=2,
            )
            return None
        with np.load(io.BytesIO(content[32:]), allow_pickle=False) as stored:
            parts: list[dict[str, Any]] = [{} for _ in range(int(stored["size"]))]
            for name in stored.files:
                at, _, field = name.partition(".")
                if field:
                    value = stored[name]
                    parts[int(at)][field] = str(value) if value.dtype.kind == "U" else value
        return [record(**part) for part in parts]

    def write(self, key: str, records: list[Any]) -> None:
        """Keep finished records; whoever is killed meanwhile leaves no half file under the name."""
        arrays = {
            f"{at}.{field.name}": np.asarray(getattr(one, field.name))
            for at, one in enumerate(records)
            for field in fields(one)
        }
        file = io.BytesIO()
        np.savez(file, size=np.array(len(records)), **arrays)  # type: ignore[arg-type]
        content = file.getvalue()
        try:
            handle, part = tempfile.mkstemp(dir=self.folder, suffix=UNFINISHED)
            try:
                with open(handle, "wb") as opened:
                    opened.write(hashlib.sha256(content).digest() + content)
                os.replace(part, self.folder / f"{key}{SUFFIX}")
            except BaseException:
                Path(part).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise SpecificationError(
                f"checkpoint={str(self.folder)!r}: the folder cannot be written to any more "
                f"({error}). What was finished before is there; free some space or name another "
                "folder, and run again."
            ) from error
