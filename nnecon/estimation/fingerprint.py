"""A digest of everything that a computation depends on, the same in every process.

Arrays count by their numbers, dataclasses by their fields, and functions by what they do: their
code, defaults, what they close over and, for functions of the user's, the global names they read.
Functions and classes of installed packages count by name, and the versions of the packages that
compute are part of every digest, as is nnecon's own source.
"""

import copyreg
import dis
import functools
import hashlib
import importlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import jax
import numpy as np
import scipy

from nnecon.estimation.compilation import software
from nnecon.exceptions import SpecificationError
from nnecon.version import __version__

_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis), range, slice)


def fingerprint(thing: Any) -> str:
    """Digest of everything that a computation with ``thing`` depends on.

    Raises
    ------
    SpecificationError
        Where something cannot be told from something else, such as an open file.
    """
    return Fingerprints().of(thing)


class Fingerprints:
    """Digests of things that share arrays, each of which is read once."""

    def __init__(self) -> None:
        self._arrays: dict[int, tuple[np.ndarray, bytes]] = {}
        self._open: list[int] = []

    def of(self, thing: Any) -> str:
        """See :func:`fingerprint`."""
        versions = (__version__, scipy.__version__, *software())
        return _hash("nnecon", self._digest(versions), self._digest(thing)).hex()

    def _digest(self, thing: Any) -> bytes:
        if type(thing) in _PLAIN:
            return _hash(type(thing).__name__, repr(thing).encode())
        if isinstance(thing, np.ndarray | np.generic):
            return self._array(thing)
        if id(thing) in self._open:
            # a function that calls itself, a list that holds itself
            return _hash("cycle", str(len(self._open) - self._open.index(id(thing))).encode())
        self._open.append(id(thing))
        try:
            return self._whole(thing)
        finally:
            self._open.pop()

    def _whole(self, thing: Any) -> bytes:
        if isinstance(thing, FunctionType):
            return self._function(thing)
        if isinstance(thing, type):
            return self._class(thing)
        if isinstance(thing, CodeType):
            return self._all("code", thing.co_code, thing.co_consts, thing.co_names)
        if isinstance(thing, ModuleType):
            return self._all("module", thing.__name__, _source(thing))
        if isinstance(thing, MethodType):
            return self._all("method", thing.__self__, thing.__func__)
        if isinstance(thing, Enum | np.dtype):
            return self._all("name", type(thing), str(thing))
        kind = type(thing)
        if is_dataclass(thing):
            parts = [part for f in fields(thing) for part in (f.name, getattr(thing, f.name))]
            return self._all("dataclass", kind, *parts)
        if kind in (list, tuple):
            return self._all(kind.__name__, *thing)
        if isinstance(thing, Mapping) and kind.__module__ == "builtins":
            return self._all("mapping", *(part for pair in thing.items() for part in pair))
        if kind in (set, frozenset):
            return _hash("set", *sorted(map(self._digest, thing)))
        if isinstance(thing, jax.Array):
            key = jax.dtypes.issubdtype(thing.dtype, jax.dtypes.prng_key)
            return self._digest(np.asarray(jax.random.key_data(thing) if key else thing))
        if callable(thing) and hasattr(thing, "__wrapped__"):
            return self._all("wrapped", kind, thing.__wrapped__)
        return self._reduced(thing)

    def _all(self, label: str, *parts: Any) -> bytes:
        return _hash(label, *map(self._digest, parts))

    def _array(self, thing: np.ndarray | np.generic) -> bytes:
        array = np.asarray(thing)
        if id(thing) in self._arrays:
            return self._arrays[id(thing)][1]
        if array.dtype.hasobject:
            content = self._digest(array.tolist())
        else:
            numbers = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
            content = _hash("numbers", numbers.data)
        found = _hash("array", f"{array.dtype.descr}{array.shape}".encode(), content)
        if isinstance(thing, np.ndarray):
            # kept, so that its number is not given to another array
            self._arrays[id(thing)] = thing, found
        return found

    def _function(self, function: FunctionType) -> bytes:
        closed = [_content(cell) for cell in function.__closure__ or ()]
        parts = [function.__code__, closed, function.__defaults__, function.__kwdefaults__]
        # the module in which it was written; decorators overwrite __module__
        module = function.__globals__.get("__name__", "")
        if _installed(module):
            return self._all("function", f"{module}.{function.__qualname__}", *parts)
        known = function.__globals__
        names = sorted({name for name in _globals_of(function.__code__) if name in known})
        return self._all("function", *parts, *(part for n in names for part in (n, known[n])))

    def _class(self, kind: type) -> bytes:
        if _installed(kind.__module__):
            return self._all("type", f"{kind.__module__}.{kind.__qualname__}")
        parts: list[Any] = [kind.__qualname__, *kind.__bases__]
        for name, member in sorted(vars(kind).items()):
            if isinstance(member, staticmethod | classmethod):
                member = member.__func__
            elif isinstance(member, property | functools.cached_property):
                member = member.fget if isinstance(member, property) else member.func
            written = isinstance(member, FunctionType) and member.__code__.co_filename != "<string>"
            plain = type(member) in _PLAIN and not name.startswith("__")
            if written or plain or isinstance(member, np.ndarray):
                parts += [name, member]
        return self._all("type", *parts)

    def _reduced(self, thing: Any) -> bytes:
        """Whatever can be pickled: the function and the arguments that make it again."""
        try:
            reduce = copyreg.dispatch_table.get(type(thing))
            made = thing.__reduce_ex__(4) if reduce is None else reduce(thing)
        except (TypeError, AttributeError, RecursionError) as error:
            raise SpecificationError(
                f"checkpoint= cannot tell {thing!r} from another {type(thing).__name__} in a later "
                f"run ({error}). Pass a function, a dataclass or something that can be pickled, or "
                "leave checkpoint out."
            ) from error
        if isinstance(made, str):
            return self._all("name", getattr(thing, "__module__", None), made)
        parts = [list(part) if isinstance(part, Iterator) else part for part in made]
        return self._all("object", type(thing), *parts)


def _hash(label: str, *parts: bytes | memoryview) -> bytes:
    """Digest of parts that cannot run into each other."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (label.encode(), *parts):
        size = part.nbytes if isinstance(part, memoryview) else len(part)
        digest.update(size.to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        # not yet assigned
        return "empty"


def _globals_of(code: CodeType) -> Iterator[str]:
    """Global names that a function and the functions within it read."""
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield step.argval
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _globals_of(inner)


@functools.cache
def _installed(module: str) -> bool:
    """Whether a module changes only with a version: nnecon, Python's own, and packages."""
    top = module.partition(".")[0]
    if top == "nnecon" or (top in sys.stdlib_module_names and top != "__main__"):
        return True
    if top in ("", "__main__", "__mp_main__") or top not in sys.modules:
        return False
    path = getattr(importlib.import_module(top), "__file__", None) or ""
    return bool({"site-packages", "dist-packages"} & set(Path(path).parts))


def _source(module: ModuleType) -> bytes | None:
    """Source of a module of the user's."""
    path = getattr(module, "__file__", None)
    if _installed(module.__name__) or not path or not path.endswith(".py"):
        return None
    return Path(path).read_bytes()
