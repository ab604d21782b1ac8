"""Coverage of intervals for average partial effects, and the table in docs/monte_carlo.md.

    python docs/monte_carlo.py --replications 1000 --out effects.csv
    python docs/monte_carlo.py --out effects.csv --markdown docs/monte_carlo.md

Every replication draws a sample of tests/inference/monte_carlo_designs.py, fits a network at the
cross-validated penalty, and writes effects, errors, intervals and true values to ``--out``. A run
that was stopped continues after the last sample in the file; ``--replications 0``, the default,
only reads the file. Samples are numbered from ``--first``.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent / "tests" / "inference"))

import monte_carlo_designs as designs  # noqa: E402

BEGIN, END = "<!-- coverage: begin -->", "<!-- coverage: end -->"
HEAD = [
    "Errors",
    "Estimate",
    "Effect",
    "Bias",
    "Spread",
    "Error / spread",
    "Coverage",
    "population",
]
FIT = {"n_starts": 2, "alphas": 10}


def run(arguments: argparse.Namespace) -> None:
    """Draw, fit and write."""
    done = set()
    if arguments.out.exists():
        read = pd.read_csv(arguments.out, usecols=["design", "seed"])
        done = set(read.itertuples(index=False, name=None))
    options = {"n_starts": arguments.starts, "alphas": arguments.alphas}
    for seed in range(arguments.first, arguments.first + arguments.replications):
        for design in arguments.designs:
            if (design, seed) in done:
                continue
            sample = designs.draw(design, seed, arguments.size, arguments.noise)
            found = designs.measure(sample.fit(**options), sample)
            found = found.assign(design=design, seed=seed)
            found.to_csv(arguments.out, mode="a", header=not arguments.out.exists(), index=False)


def table(measured: pd.DataFrame) -> str:
    """The section of the page: a row a design, estimate and effect."""
    population = designs.population_effects()
    counts = measured.groupby("design")["seed"].nunique()
    lines = [
        f"Replications: {', '.join(f'{counts[d]} {d}' for d in designs.DESIGNS if d in counts)}.",
        "",
        f"| {' | '.join(HEAD)} |",
        "|---|---|---|--:|--:|--:|--:|--:|",
    ]
    for design in designs.DESIGNS:
        rows = measured[measured["design"] == design]
        found = designs.summarise(rows, population)
        for estimate in ("debiased", "penalised", "classical"):
            own = found.loc[estimate]
            for effect, row in own.iterrows():
                cells = [design, estimate, effect, f"{row['bias']:.3f}", f"{row['sd']:.3f}"]
                cells += [f"{row['ratio']:.2f}"]
                cells += [f"{100 * row[name]:.1f}" for name in ("coverage", "population")]
                lines.append(f"| {' | '.join(cells)} |")
            if estimate != "classical":
                cells = [
                    design,
                    f"**{estimate}**",
                    "**mean**",
                    "",
                    "",
                    f"{own['ratio'].mean():.2f}",
                ]
                cells += [f"**{100 * own['coverage'].mean():.1f}**"]
                cells += [f"{100 * own['population'].mean():.1f}"]
                lines.append(f"| {' | '.join(cells)} |")
    infinite = np.isinf(measured["alpha"]).groupby(measured["design"]).mean()
    shares = ", ".join(f"{100 * infinite[d]:.1f}% {d}" for d in designs.DESIGNS if d in infinite)
    lines += ["", f"Cross-validation chose OLS in {shares}."]
    return "\n".join(lines)


def put(section: str, page: Path) -> None:
    """Replace what stands between the two marks of the page."""
    before, mark, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    if not mark:
        raise SystemExit(f"{page} has no line {BEGIN}")
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{section}\n\n{END}{after}", encoding="utf-8")


def main() -> None:
    """Run, print the table, write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=0)
    parser.add_argument("--first", type=int, default=10_000, help="number of the first sample")
    parser.add_argument("--out", type=Path, required=True, help="CSV file of all replications")
    parser.add_argument("--designs", nargs="+", choices=list(designs.DESIGNS))
    parser.add_argument("--size", type=int, default=500)
    parser.add_argument("--noise", type=float, default=1.0)
    parser.add_argument("--starts", type=int, default=FIT["n_starts"])
    parser.add_argument("--alphas", type=int, default=FIT["alphas"])
    parser.add_argument("--markdown", type=Path, metavar="PAGE", help="page to write to")
    arguments = parser.parse_args()
    arguments.designs = arguments.designs or list(designs.DESIGNS)
    if arguments.replications:
        run(arguments)
    section = table(pd.read_csv(arguments.out))
    print(section)
    if arguments.markdown is not None:
        put(section, arguments.markdown)


if __name__ == "__main__":
    main()
