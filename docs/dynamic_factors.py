"""One-month-ahead forecasts of the whole FRED-MD panel: dynamic autoencoder, PCA and VAR.

    python docs/dynamic_factors.py fred-md.csv

Series that are known from 1975 to 2019. Models are estimated at the ends of 1999, 2004, 2009 and
2014 and forecast each of the 60 months after; factors are
those of the months so far. Errors are in standard deviations of the first estimation sample. Prints
means over series and months of squared errors, their ratio to those of PCA with a VAR, and Diebold
and Mariano's test of the monthly means.
"""

import sys

import numpy as np
import pandas as pd

import nnecon as ne

CUTOFFS = ("1999-12", "2004-12", "2009-12", "2014-12")
MODELS = {
    "PCA and VAR": ({"hidden": ()}, "cv"),
    "jointly": ({"hidden": 4}, "cv"),
    "jointly, alpha=0.003": ({"hidden": 4}, 0.003),
    "in two steps, alpha=0.003": ({"hidden": 4, "forecast_weight": 0.0}, 0.003),
}
"""Arguments of the models, and their penalty."""


def main(path: str) -> None:
    """Estimate, forecast and print the table."""
    panel = ne.datasets.read_fred_md(path).loc["1975":"2019"].dropna(axis=1)
    print(f"{panel.shape[1]} series, {len(panel)} months")
    scale = panel[: CUTOFFS[0]].std(ddof=0)
    losses: dict[str, list[pd.Series]] = {name: [] for name in MODELS}
    for cutoff in CUTOFFS:
        known = panel[:cutoff]
        months = panel.index[len(known) : len(known) + 60]
        for name, (options, alpha) in MODELS.items():
            model = ne.AutoencoderFactor(known, 4, factor_order="bic", **options)
            results = model.fit(alpha, alphas=6, n_starts=2, progress=False)
            ahead = [results.apply(panel[panel.index < month]).forecast() for month in months]
            left = (panel.loc[months] - pd.concat(ahead)) / scale
            losses[name].append((left**2).mean(axis=1))
            print(
                f"{cutoff} {name}: {results.factor_order} lags, alpha {results.alpha:.3g}, "
                f"root {results.largest_root:.3f}, MSE {losses[name][-1].mean():.4f}",
                flush=True,
            )
    table = pd.DataFrame({name: pd.concat(parts) for name, parts in losses.items()})
    base = table["PCA and VAR"]
    print((table.mean() / base.mean()).round(4).to_string())
    calm = table[(table.index < "2008-01") | (table.index > "2009-12")]
    print("without 2008 and 2009:")
    print((calm.mean() / calm["PCA and VAR"].mean()).round(4).to_string())
    for name in [*MODELS][1:]:
        if np.allclose(table[name], base):
            print(f"{name}: the same forecasts")
            continue
        test = ne.accuracy.diebold_mariano(table[name].to_numpy(), base.to_numpy(), 12)
        print(f"{name} against PCA and VAR: p-value {test.pvalue:.3f}")


if __name__ == "__main__":
    main(sys.argv[1])
