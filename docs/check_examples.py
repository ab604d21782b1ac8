"""Run the examples of the documentation, so that none of them can rot.

Every ```python block of a Markdown file is executed, in one namespace a file, with warnings as
errors. In ```console blocks the lines after ``$ nnecon`` are commands, run in an empty folder. A
block after the line ``<!-- needs: doubleml, econml -->`` is left out, with a word, where one of
these optional packages is not installed.

    python docs/check_examples.py                     check all files
    python docs/check_examples.py docs/formulas.md    check one
    python docs/check_examples.py --update            also paste what was printed

``--update`` writes the output of a Python block into the ```text block that follows it directly,
and the output of commands into their ```console block.
"""

import contextlib
import importlib.util
import io
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import pandas as pd

DOCS = Path(__file__).resolve().parent
BLOCK = re.compile(
    r"(?:^<!-- needs: (?P<needs>[\w, ]+) -->\n)?"
    r"^```(?P<kind>python|console)\n(?P<code>.*?)^```$"
    r"(?P<gap>\n\n```text\n(?P<output>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)


def run_python(code: str, line: int, namespace: dict, path: Path, optional: bool) -> str:
    """Execute one block and return what it printed.

    An ``optional`` package's deprecations are its own affair.
    """
    # blank lines in front make tracebacks and warnings point at the line of the file
    compiled = compile("\n" * line + code, str(path), "exec")
    printed = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(printed):
        warnings.simplefilter("error")
        for kind in (DeprecationWarning, FutureWarning) if optional else ():
            warnings.simplefilter("ignore", kind)
        exec(compiled, namespace)
    return printed.getvalue()


def run_console(code: str) -> str:
    """Run the commands of a console block and return the block with fresh output."""
    lines = []
    for command in re.findall(r"^\$ (.*)$", code, re.MULTILINE):
        environment = {**os.environ, "COLUMNS": "90"}
        done = subprocess.run(
            command, shell=True, text=True, env=environment, stdout=-1, stderr=-1, check=False
        )
        said = [text for text in done.stderr.splitlines() if text.startswith(("nnecon", "warning"))]
        if done.returncode not in (0, 2) or "Traceback" in done.stderr:
            raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stderr}")
        lines += [f"$ {command}", *done.stdout.splitlines(), *said]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def absent(needs: str | None) -> list[str]:
    """Packages that a block needs and that are not installed."""
    names = [name.strip() for name in (needs or "").split(",") if name.strip()]
    return [name for name in names if importlib.util.find_spec(name) is None]


def check(path: Path, update: bool) -> bool:
    """Run one file; say whether everything in it ran."""
    text, pieces, at = path.read_text(), [], 0
    namespace: dict = {"__name__": "__main__"}
    begun = time.perf_counter()
    for block in BLOCK.finditer(text):
        code = block["code"]
        line = text.count("\n", 0, block.start("code"))
        fence = text.index("```", block.start())
        missing = absent(block["needs"])
        if missing:
            print(f"{path.name}: left out line {line}, which needs {', '.join(missing)}")
            continue
        try:
            if block["kind"] == "console":
                fresh = f"```console\n{run_console(code)}```" + (block["gap"] or "")
            else:
                output = run_python(code, line, namespace, path, bool(block["needs"]))
                fresh = text[fence : block.end()]
                if block["gap"] is not None:
                    output = "\n".join(row.rstrip() for row in output.strip("\n").splitlines())
                    fresh = f"```python\n{code}```\n\n```text\n{output}\n```"
        except Exception:
            print(f"{path.name}: the block at line {line} failed")
            traceback.print_exc()
            return False
        pieces += [text[at:fence], fresh]
        at = block.end()
    new = "".join([*pieces, text[at:]])
    if update and new != text:
        path.write_text(new)
    state = "updated" if update and new != text else "runs"
    print(f"{path.name}: {state} ({time.perf_counter() - begun:.1f} s)", flush=True)
    return True


def main(arguments: list[str]) -> int:
    """Check the named files, or all."""
    update = "--update" in arguments
    named = [Path(name).resolve() for name in arguments if not name.startswith("-")]
    files = named or sorted(DOCS.glob("*.md"))
    # frames print in full, as in a notebook
    pd.set_option("display.width", 100, "display.max_columns", None)
    here = Path.cwd()
    good = True
    for path in files:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                good &= check(path, update)
            finally:
                os.chdir(here)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
