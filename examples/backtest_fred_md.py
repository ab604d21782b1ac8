"""Do the networks beat autoregressions on monthly data? FRED-MD, one month ahead, 1990 to 2019.

Unemployment rate (difference), industrial production (log difference) and consumer prices (second
log difference), transformed as McCracken and Ng (2016) do; 360 cutoffs from December 1989 to
November 2019, samples that grow from April 1959; everything at its default. Networks are estimated
once a year, their penalties and lags are chosen every five years; so are autoregressions and VAR,
whose lags BIC chooses. The file is FRED-MD's monthly CSV:

    python examples/backtest_fred_md.py current.csv                all networks
    python examples/backtest_fred_md.py current.csv NeuralAR       one of them
    python examples/backtest_fred_md.py current.csv --by-equation  each equation its own lags
    python examples/backtest_fred_md.py current.csv --alone        each series from its own past

Together, the three series are forecast by networks beside a VAR, or beside equations for each of
which BIC chooses own lags and lags of the others; alone, each by a network beside its own
autoregression.
"""

import argparse

import pandas as pd

import nnecon as ne
from nnecon.results.backtest import Backtest

FAMILIES = ["NeuralAR", "LSTMForecaster", "AttentionForecaster", "ConvForecaster"]
SERIES = ["UNRATE", "INDPRO", "CPIAUCSL"]
COMMON = {
    "horizon": 1,
    "initial": "1989-12",
    "refit": 12,
    "reselect": 60,
    "intervals": False,
    "progress": False,
}


def main() -> None:
    """Print errors relative to the autoregression, with stars of Diebold-Mariano tests."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("families", nargs="*", default=FAMILIES)
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--by-equation", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint")
    arguments = parser.parse_args()
    data = ne.datasets.read_fred_md(arguments.file)[SERIES].loc["1959-04":"2019-12"]
    linear = {"AR": ne.baselines.ar("bic"), "VAR": ne.baselines.var("bic")}
    found = [ne.backtest(linear, data, **COMMON)]
    for family in arguments.families:
        for targets in [[name] for name in SERIES] if arguments.alone else [SERIES]:
            one = backtest(family, targets, data, arguments)
            print(f"{family}:", one.choices[family].iloc[::60].tolist(), flush=True)
            found.append(one)
        print(relative(found).round(3), flush=True)


def backtest(
    family: str, targets: list[str], data: pd.DataFrame, arguments: argparse.Namespace
) -> Backtest:
    """A network on some of the series, beside the autoregression on the same rows."""
    model = getattr(ne, family).from_formula(
        " + ".join(targets) + " ~ 1", data[targets], lags_by_equation=arguments.by_equation
    )
    return ne.backtest(
        {family: (model, {"rng": arguments.seed}), "AR": ne.baselines.ar("bic")},
        data[targets],
        checkpoint=arguments.checkpoint,
        **COMMON,
    )


def relative(found: list[Backtest]) -> pd.DataFrame:
    """RMSE over that of the autoregression."""
    errors = pd.concat([one.accuracy()["rmse"] for one in found])
    frame = errors[~errors.index.duplicated()].reset_index()
    table = frame.pivot_table("rmse", ["variable", "horizon"], "model")
    return table.div(table["AR"], axis=0)


if __name__ == "__main__":
    main()
