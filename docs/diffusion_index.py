"""Diffusion-index forecasts on FRED-MD: autoencoder factors against principal components and AR.

    python docs/diffusion_index.py fred-md.csv table.csv

One month ahead the target is the stationary series of FRED-MD (for the price index monthly
inflation), twelve months ahead its mean over the next twelve months. All models see four lags of
the monthly series; factor models are estimated anew every twelve months, factors extracted and
regressions estimated every month. Prints ratios of root mean squared errors to the
autoregression's, and tests of the autoencoder against principal components.
"""

import sys

import numpy as np
import pandas as pd

import nnecon as ne

SERIES = ("UNRATE", "INDPRO", "CPIAUCSL", "PAYEMS")
FIRST, LAST = "1989-12", "2019-12"


def data(path: str) -> pd.DataFrame:
    """The panel, monthly inflation in place of its change, and means over twelve months."""
    frame = ne.datasets.read_fred_md(path).iloc[2:].loc[:LAST]
    levels = ne.datasets.read_fred_md(path, transform=False)
    inflation = np.log(levels["CPIAUCSL"]).diff().reindex(frame.index)
    frame = frame.assign(inflation=inflation)
    for name in ("UNRATE", "INDPRO", "inflation", "PAYEMS"):
        frame[f"{name}_12"] = frame[name].rolling(12).mean()
    return frame


def main(path: str, out: str) -> None:
    """Run the backtest and print the tables."""
    frame = data(path)
    monthly = ["UNRATE", "INDPRO", "inflation", "PAYEMS"]
    yearly = [f"{name}_12" for name in monthly]
    own = dict(zip(yearly, monthly, strict=True)) | {"inflation": "inflation"}
    panel = [name for name in frame if name not in (*yearly, "inflation")]
    common = {"panel": panel, "own": own, "k_factors": 8, "lags": 4}
    targets = [*monthly, *yearly]
    models = {
        "autoencoder": (ne.FactorForecaster(frame, targets, hidden=8, **common), {"n_starts": 2}),
        "PCA": (ne.FactorForecaster(frame, targets, hidden=(), **common), {}),
        "AR": ne.baselines.ols(*(f"{name} ~ lag({own.get(name, name)}, 1, 4)" for name in targets)),
    }
    found = ne.backtest(
        models, frame, targets=targets, horizon=12, initial=frame.index.get_loc(FIRST) + 1, refit=12
    )
    rows = found.forecasts
    horizon = rows["variable"].isin(yearly).map({True: 12, False: 1})
    rows = rows[rows["horizon"] == horizon].dropna(subset=["actual"])
    rows.to_csv(out)
    scored = rows.assign(square=(rows["forecast"] - rows["actual"]) ** 2)
    mse = scored.pivot_table("square", "variable", "model", aggfunc="mean")
    ratios = np.sqrt(mse.div(mse["AR"], axis=0)).loc[targets]
    print(ratios.round(3).to_string())
    relative = np.sqrt(mse["autoencoder"] / mse["PCA"]).loc[targets]
    print(relative.round(3).to_string(), "mean", round(float(relative.mean()), 3))
    for name in targets:
        own_rows = rows[rows["variable"] == name]
        wide = own_rows.pivot_table("forecast", "cutoff", "model")
        actual = own_rows.groupby("cutoff")["actual"].first()
        losses = wide.sub(actual, axis=0) ** 2
        steps = 12 if name in yearly else 1
        test = ne.accuracy.diebold_mariano(
            losses["autoencoder"].to_numpy(), losses["PCA"].to_numpy(), steps - 1, horizon=steps,
            kernel="bartlett",
        )  # fmt: skip
        print(name, test.statistic, test.pvalue, len(losses))


if __name__ == "__main__":
    main(*sys.argv[1:])
