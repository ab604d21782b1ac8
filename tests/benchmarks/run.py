"""All benchmarks in one run: ratios to scikit-learn, PyTorch and R's nnet beside what is required.

    python tests/benchmarks/run.py
    python tests/benchmarks/run.py --only adam single_fit --repeats 5
    python tests/benchmarks/run.py --markdown docs/benchmarks.md

Peers that are not installed are left out, and a line says so: ``pip install torch``, R with its
package nnet. ``--markdown`` replaces the section between two marks of a page, or writes the page.
"""

import argparse
import datetime
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

import bench_adam
import bench_autoencoder
import bench_backtest
import bench_cold_start
import bench_path
import bench_recurrent
import bench_scaling
import bench_single_fit
import bench_state_space
from measure import Requirement, show

FIGURE = Path("images/benchmark_scaling.png")
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
HEAD = ("Requirement", "Target", "Measured", "Met", "Medians")
LEAST_REPEATS = 5


def processor() -> str:
    """The processor's model name."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def machine() -> dict[str, str]:
    """Processor, memory and versions."""
    facts = {"Processor": f"{processor()}, {os.cpu_count()} cores used"}
    if hasattr(os, "sysconf"):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        facts["Memory"] = f"{memory:.0f} GiB"
    facts["System"] = platform.platform(terse=True)
    facts["Python"] = platform.python_version()
    for name in ("nnecon", "jax", "numpy", "scipy", "statsmodels", "scikit-learn", "torch"):
        try:
            facts[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            facts[name] = "not installed"
    if shutil.which("Rscript"):
        code = 'cat(R.version.string, ", nnet ", format(packageVersion("nnet")), sep = "")'
        done = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=True)
        facts["R"] = done.stdout
    return facts


def markdown(requirements: Sequence[Requirement], repeats: int, figure: Path | None) -> str:
    """The section of the documentation."""
    lines = [BEGIN, "", f"Measured on {datetime.date.today():%d %B %Y}; medians of {repeats}", ""]
    lines[2] += " repeats, peers and nnecon in turn in one run of `python tests/benchmarks/run.py`."
    lines += [f"| {' | '.join(HEAD)} |", "|---|---|---|---|---|"]
    lines += [f"| {' | '.join(each.cells())} |" for each in requirements]
    if figure is not None:
        lines += ["", f"![Time of a fit against the number of rows]({figure.as_posix()})"]
    lines += ["", "| Machine | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in machine().items()]
    return "\n".join([*lines, "", END])


def put(section: str, page: Path) -> None:
    """Replace the section of a page, or begin the page with it."""
    text = page.read_text(encoding="utf-8") if page.exists() else f"# Benchmarks\n\n{BEGIN}{END}\n"
    before, mark, rest = text.partition(BEGIN)
    after = rest.partition(END)[2] if mark else "\n"
    page.write_text(f"{before}{section}{after}", encoding="utf-8")


def main() -> None:
    """Run, print the table, write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=LEAST_REPEATS)
    parser.add_argument("--markdown", type=Path, metavar="PAGE", help="page to write to")
    names = ["path", "single_fit", "adam", "scaling", "cold_start", "recurrent", "backtest"]
    names += ["state_space", "autoencoder"]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--fred-md", type=Path, metavar="FILE", help="for the path of autoencoder")
    arguments = parser.parse_args()
    page, repeats = arguments.markdown, arguments.repeats
    if page is not None and repeats < LEAST_REPEATS:
        parser.error(f"--markdown takes medians of at least {LEAST_REPEATS} repeats")
    drawn = page is not None and "scaling" in arguments.only
    file = page.parent / FIGURE if drawn else None
    runs: dict[str, Callable[[], list[Requirement]]] = {
        "path": lambda: bench_path.measure(repeats),
        "single_fit": lambda: bench_single_fit.measure(repeats),
        "adam": lambda: bench_adam.measure(repeats),
        "scaling": lambda: bench_scaling.measure(repeats, figure=file),
        "cold_start": lambda: bench_cold_start.measure(max(repeats, 7)),
        "recurrent": lambda: bench_recurrent.requirements(max(repeats, 100)),
        "backtest": bench_backtest.measure,
        "state_space": lambda: bench_state_space.measure(repeats),
        "autoencoder": lambda: bench_autoencoder.measure(repeats, arguments.fred_md),
    }
    found: list[Requirement] = []
    for name in arguments.only:
        print(f"== {name}", flush=True)
        found += runs[name]()
    print("== results")
    show(found)
    if page is not None:
        put(markdown(found, repeats, FIGURE if drawn else None), page)


if __name__ == "__main__":
    main()
