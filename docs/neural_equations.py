"""Do neural forecast equations help diffusion-index forecasts of FRED-MD one month ahead?

    python docs/neural_equations.py fred-md.csv 1se 24
    python docs/neural_equations.py fred-md.csv cv 24

From December 1989 to the end of 2019: eight principal components of the panel and four lags of the
target, by least squares and by a network of four units beside it, whose penalty is chosen on blocks
that follow the training rows: by the least error (cv) or by the one-standard-error rule (1se).
Factor models and networks are estimated every so many months; factors, least squares and the
networks' linear parts are renewed every month. Prints root mean squared errors relative to least
squares and tests of the difference.
"""

import sys

import numpy as np

import nnecon as ne

TARGETS = ["UNRATE", "INDPRO", "inflation", "PAYEMS"]


def main(path: str, rule: str, refit: str) -> None:
    """Run the backtest and print the table."""
    frame = ne.datasets.read_fred_md(path).iloc[2:].loc[:"2019-12"]
    prices = ne.datasets.read_fred_md(path, transform=False)["CPIAUCSL"]
    frame = frame.assign(inflation=np.log(prices).diff().reindex(frame.index))
    panel = [name for name in frame if name != "inflation"]
    common = {"panel": panel, "k_factors": 8, "hidden": (), "lags": 4}
    fit = {"n_starts": 3, "alphas": 12, "alpha": rule}
    network = ne.FactorForecaster(frame, TARGETS, equation_hidden=4, equation_fit=fit, **common)
    found = ne.backtest(
        {"neural": network, "linear": ne.FactorForecaster(frame, TARGETS, **common)},
        frame, targets=TARGETS, horizon=1, initial=frame.index.get_loc("1989-12") + 1,
        refit=int(refit),
    )  # fmt: skip
    rows = found.forecasts.dropna(subset=["actual"])
    for name in TARGETS:
        own = rows[rows["variable"] == name]
        wide = own.pivot_table("forecast", "date", "model")
        losses = wide.sub(own.groupby("date")["actual"].first(), axis=0) ** 2
        pair = losses["neural"].to_numpy(), losses["linear"].to_numpy()
        ratio = np.sqrt(pair[0].mean() / pair[1].mean())
        pvalue = ne.accuracy.diebold_mariano(*pair, 4).pvalue
        told = "the same forecasts" if pvalue is None else f"p={pvalue:.2f}"
        print(f"{name:10s} {rule} n={len(losses)} {ratio:.3f} {told}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
