"""Nowcasts of US GDP growth from FRED-MD in pseudo real time, beside an autoregression.

    python docs/nowcast_gdp.py fred-md.csv [nowcasts.png]

At the end of every month from January 1990 to September 2009 the growth of real GDP (statsmodels'
``macrodata``, percent a year) is nowcast from four factors of the panel. Series are out a month
late, those of the group of interest and exchange rates at once; GDP is out at the end of the first
month after the quarter. Data are those of October 2023 (the panel) and of 2009 (GDP), not what was
known then. Factor models are estimated once a year.
"""

import sys

import pandas as pd

import nnecon as ne
from nnecon.report.plots import save_png

FIRST, LAST = "1990-01", "2009-09"
FINANCIAL = "Interest and exchange rates"


def main(path: str, picture: str | None = None) -> None:
    """Print root mean squared errors by months left in the quarter; draw the bridge equation's."""
    panel = ne.datasets.read_fred_md(path).iloc[2:].loc["1960":"2009-12"]
    panel = panel.dropna(axis="columns", how="all")
    groups = ne.datasets.describe_fred_md(path)["group"]
    late = {name: int(groups[name] != FINANCIAL) for name in panel.columns}
    growth = ne.datasets.load_macro()["growth"].loc["1960":]
    tables = {}
    for name, options, fit in (
        ("PCA, skip sampling", {"hidden": ()}, {}),
        ("PCA, bridge", {"hidden": (), "method": "bridge"}, {}),
        ("autoencoder, skip sampling", {"hidden": 8}, {"n_starts": 2}),
    ):
        model = ne.FactorNowcaster(panel, growth, k_factors=4, **options)
        found = model.pseudo_real_time(FIRST, LAST, release_lag=late, refit=12, **fit)
        tables[name] = found.accuracy()
        print(name)
        print(found.accuracy().round(3).to_string(), flush=True)
        before = found.frame[found.frame["cutoff"] < pd.Period("2008-01")]
        print(type(found)(before, found.target).accuracy().round(3).to_string(), flush=True)
        if picture is not None and name == "PCA, bridge":
            labels = {"growth": "Real GDP growth, % a year"}
            save_png(found.plot(0, labels=labels), picture, dpi=120)


if __name__ == "__main__":
    main(*sys.argv[1:])
