"""Factors of FRED-MD: how many, what they are, and whether nonlinear ones earn their place.

The file is FRED-MD's monthly CSV (McCracken and Ng, 2016), which the Federal Reserve Bank of St.
Louis publishes; it does not come with the package:

    python examples/fred_md_factors.py current.csv          numbers
    python examples/fred_md_factors.py current.csv out      and a report: out/index.html

Without the file it says so and ends.
"""

import sys
from pathlib import Path

import nnecon as ne


def main(path: str = "current.csv", out: str | None = None) -> None:
    """Print what the factors explain and the comparison with principal components."""
    if not Path(path).is_file():
        print(f"There is no file {path}: nothing was done. FRED-MD is published at")
        print("https://www.stlouisfed.org/research/economists/mccracken/fred-databases;")
        print("give the path of its monthly file as the argument.")
        return

    # two months are lost to differences; the pandemic months would make a factor of their own
    series = ne.datasets.describe_fred_md(path)
    panel = ne.datasets.read_fred_md(path).loc["1960":"2019"].dropna(axis="columns", how="all")
    groups = series["group"].fillna("Other")

    model = ne.AutoencoderFactor(panel, k_factors="ic", hidden=8)
    print(model.numbers.idxmin().rename("factors, by criterion").to_string())

    results = model.fit()
    print(results.summary())
    print(results.compare())
    print(results.reconstruction(groups).round(3).to_string())

    # factors of rows outside the sample, which may have missing values
    later = ne.datasets.read_fred_md(path).loc["2020":][list(panel.columns)]
    print(results.transform(later).tail().round(3).to_string())

    if out is not None:
        labels = series["description"].dropna().to_dict()
        recessions = ne.datasets.NBER_RECESSIONS
        written = results.report(out, groups=groups, labels=labels, recessions=recessions)
        print(f"Report: {written[0]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
