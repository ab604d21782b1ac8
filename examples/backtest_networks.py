"""Do the networks beat the VAR? Errors relative to a VAR on US macro data, over several seeds.

Growth of real GDP, inflation and the Treasury bill rate; cutoffs from 1985Q1 to 2009Q2, one a
quarter; everything at its default. Models are estimated once a year, penalties and lags are chosen
every five years. Run:

    python examples/backtest_networks.py                      all networks, five seeds
    python examples/backtest_networks.py NeuralAR --seeds 2   one network, two seeds
    python examples/backtest_networks.py --by-equation        each equation its own lags

A network and seed takes from twenty seconds (NeuralAR) to some minutes; ``--checkpoint FOLDER``
continues a stopped run.
"""

import argparse

import pandas as pd

import nnecon as ne

FAMILIES = ["NeuralAR", "LSTMForecaster", "AttentionForecaster", "ConvForecaster"]
FORMULA = "growth + infl + tbilrate ~ 1"
HORIZONS = [1, 4, 8]


def ratios(family: str, seed: int, checkpoint: str | None, by_equation: bool) -> pd.Series:
    """RMSE of a network over that of the VAR with lags chosen alike, by variable and horizon."""
    macro = ne.datasets.load_macro()[["growth", "infl", "tbilrate"]]
    model = getattr(ne, family).from_formula(FORMULA, macro, lags_by_equation=by_equation)
    models = {
        "network": (model, {"rng": seed}),
        "VAR": ne.baselines.var("bic", maxlags=8),
    }
    found = ne.backtest(
        models,
        macro,
        horizon=8,
        initial="1985Q1",
        refit=4,
        reselect=20,
        intervals=False,
        checkpoint=checkpoint,
        progress=False,
    )
    print(f"{family}, seed {seed}: penalties", found.choices["network"].iloc[::20].tolist())
    table = found.relative("VAR").frame["network"]
    return table[table.index.get_level_values("horizon").isin(HORIZONS)]


def main() -> None:
    """Print one column a seed, and the mean and the largest over seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("families", nargs="*", default=FAMILIES)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--checkpoint")
    parser.add_argument("--by-equation", action="store_true")
    arguments = parser.parse_args()
    for family in arguments.families:
        columns = {}
        for seed in range(arguments.seeds):
            columns[seed] = ratios(family, seed, arguments.checkpoint, arguments.by_equation)
            table = pd.DataFrame(columns)
            summary = table.assign(mean=table.mean(axis=1), largest=table.max(axis=1))
            print(f"\nRMSE of {family} relative to VAR\n{summary.round(3)}\n", flush=True)


if __name__ == "__main__":
    main()
