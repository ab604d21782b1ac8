"""Numbers of the ipca package (Buechner and Bybee, MIT licence) on the Grunfeld panel.

Run in an environment with ipca 0.6.7, numpy and statsmodels:  python ipca_grunfeld.py
It writes ipca_grunfeld.csv beside itself; the test suite reads that file alone.
"""

import contextlib
import io
from pathlib import Path

import numpy as np
import pandas as pd
from ipca import InstrumentedPCA
from statsmodels.datasets import grunfeld

DROPPED = ("General Motors", 1940.0), ("Chrysler", 1935.0), ("IBM", 1953.0), ("IBM", 1954.0)


def panel(unbalanced: bool, constant: bool) -> pd.DataFrame:
    data = grunfeld.load_pandas().data
    data["firm"] = data["firm"].astype(str)
    if unbalanced:
        gone = [
            (firm, year) in DROPPED for firm, year in zip(data["firm"], data["year"], strict=True)
        ]
        data = data[~np.array(gone)]
    data = data.assign(firm=pd.factorize(data["firm"])[0], year=data["year"].astype(int))
    frame = data.set_index(["firm", "year"])[["invest", "value", "capital"]]
    return frame.assign(const=1.0) if constant else frame


def main() -> None:
    rows = []
    for case, (k, constant, unbalanced) in {
        "docs": (1, False, False),
        "constant": (1, True, False),
        "two": (2, True, False),
        "unbalanced": (2, True, True),
    }.items():
        data = panel(unbalanced, constant)
        y, x = data["invest"], data.drop(columns="invest")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            model = InstrumentedPCA(n_factors=k, max_iter=200000, iter_tol=1e-13)
            model = model.fit(X=x, y=y)
            gamma, factors = model.get_factors(label_ind=True)
            total = model.predict(data_type="panel")
            ahead = model.predict(data_type="panel", mean_factor=True)
        for name in gamma.index:
            for j in range(k):
                rows.append((case, "gamma", name, j, gamma.loc[name, j]))
        for year in factors.columns:
            for j in range(k):
                rows.append((case, "factor", year, j, factors.loc[j, year]))
        square = float(np.sum(y.to_numpy() ** 2))
        for name, fit in {"total": total, "predictive": ahead}.items():
            gone = float(np.sum((y.to_numpy() - fit) ** 2))
            rows.append((case, "rsquare", name, 0, 1.0 - gone / square))
    frame = pd.DataFrame(rows, columns=["case", "what", "label", "factor", "value"])
    frame.to_csv(Path(__file__).with_suffix(".csv"), index=False, float_format="%.12g")


if __name__ == "__main__":
    main()
