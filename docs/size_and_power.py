"""Size and power of the specification tests: the tables of docs/tests.md.

    python docs/size_and_power.py nonlinearity --samples 2000
    python docs/size_and_power.py left_out --samples 4000
    python docs/size_and_power.py network --samples 200
    python docs/size_and_power.py residuals --samples 300

Each prints a Markdown table of shares of samples in which a test rejects at 5%.
"""

import argparse
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

import nnecon as ne
from nnecon.accuracy import clark_west, corrected_resampled_t
from nnecon.diagnostic import lee_white_granger_test, reset_test, terasvirta_test
from nnecon.exceptions import NneconWarning

LEVEL = 0.05
NONLINEARITY = {
    "Terasvirta-Lin-Granger": terasvirta_test,
    "Lee-White-Granger": lee_white_granger_test,
    "RESET": reset_test,
}


def table(title: str, rows: dict[str, dict[str, float]]) -> str:
    """Shares in percent as a Markdown table."""
    frame = pd.DataFrame(rows).T.mul(100.0)
    head = f"| {title} | " + " | ".join(frame.columns) + " |"
    line = "|---|" + "---:|" * frame.shape[1]
    body = [
        f"| {name} | " + " | ".join("–" if np.isnan(v) else f"{v:.1f}" for v in row) + " |"
        for name, row in zip(frame.index, frame.to_numpy(), strict=True)
    ]
    return "\n".join([head, line, *body])


def linear(size: int, unequal: bool) -> Callable:
    """Three regressors; where variances are unequal they grow with the first one squared."""

    def draw(g: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = g.standard_normal((size, 3))
        scale = np.sqrt(0.3 + 0.7 * x[:, 0] ** 2) if unequal else 1.0
        return x.sum(axis=1) + scale * g.standard_normal(size), x

    return draw


def bent(size: int) -> Callable:
    """The mean of the benchmark of paths, of eight regressors."""

    def draw(g: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = g.standard_normal((size, 8))
        mean = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + x[:, 3] ** 2 / 2 + 0.3 * x[:, 4]
        return mean + 0.3 * g.standard_normal(size), x

    return draw


def nonlinearity(samples: int) -> str:
    """Size with three regressors and 200 rows, power with eight regressors."""
    designs = {
        "size, equal variances": (linear(200, False), samples),
        "size, unequal variances": (linear(200, True), samples),
        "power, n=100": (bent(100), samples // 4),
        "power, n=250": (bent(250), samples // 4),
        "power, n=1000": (bent(1000), samples // 40),
    }
    found: dict[str, dict[str, float]] = {}
    for name, (draw, count) in designs.items():
        g = np.random.default_rng(1)
        rejected: dict[str, list[bool]] = {}
        for _ in range(count):
            y, x = draw(g)
            for label, test in NONLINEARITY.items():
                for robust in (False, True):
                    seed = int(g.integers(2**31))
                    extra = {"rng": seed} if robust or label.startswith("Lee") else {}
                    if robust:
                        extra |= {"robust": True, "reps": 99}
                    key = f"{label}{', robust' if robust else ''}"
                    rejected.setdefault(key, []).append(test(y, x, **extra).pvalue <= LEVEL)
        for key, shares in rejected.items():
            found.setdefault(key, {})[name] = float(np.mean(shares))
        print(name, {key: found[key][name] for key in rejected}, flush=True)
    return table("Rejections at 5%, in percent", found)


def left_out(samples: int) -> str:
    """Nested linear models of which the small one is right, on rows left out."""
    g, rejected = np.random.default_rng(2), {"expanding": [], "shuffled": []}
    for _ in range(samples):
        x = np.column_stack([np.ones(200), g.standard_normal((200, 5))])
        y = g.standard_normal(200)
        ahead = [(np.arange(a), np.arange(a, a + 26)) for a in range(70, 200, 26)]
        parts = np.array_split(g.permutation(200), 5)
        shuffled = [(np.setdiff1d(np.arange(200), part), part) for part in parts]
        for name, folds in (("expanding", ahead), ("shuffled", shuffled)):
            small, large, fold = _left_out_errors(y, x, folds)
            sizes = [len(train) for train, _ in folds]
            rejected[name].append(
                [
                    clark_west(small, large).pvalue <= LEVEL,
                    corrected_resampled_t(small, large, fold, sizes, nested=True).pvalue <= LEVEL,
                    _better(small, large, fold, sizes),
                ]
            )
    labels = ("Clark-West by rows", "Clark-West by folds", "Nadeau-Bengio, large model better")
    shares = {name: np.mean(found, axis=0) for name, found in rejected.items()}
    rows = {
        label: {name: float(shares[name][at]) for name in shares} for at, label in enumerate(labels)
    }
    return table("Rejections at 5%, in percent", rows)


def _left_out_errors(y, x, folds):
    small, large, fold = [], [], []
    for number, (train, test) in enumerate(folds):
        slopes = np.linalg.lstsq(x[train], y[train], rcond=None)[0]
        small.append(y[test] - y[train].mean())
        large.append(y[test] - x[test] @ slopes)
        fold.append(np.full(len(test), number))
    return (np.concatenate(parts) for parts in (small, large, fold))


def _better(small, large, fold, sizes) -> bool:
    found = corrected_resampled_t(small, large, fold, sizes)
    return found.pvalue <= LEVEL and found.statistic > 0


def network(samples: int) -> str:
    """A network of two units against OLS where the mean is linear; 80 rows, two regressors."""
    found: dict[str, dict[str, float]] = {}
    columns = {
        "given penalty, equal variances": (1.0, {"alpha": 0.005, "alphas": 3}),
        "given penalty, unequal variances": (None, {"alpha": 0.005, "alphas": 3}),
        "chosen by cross-validation": (1.0, {"alphas": 6}),
    }
    for column, (spread, options) in columns.items():
        g = np.random.default_rng(5)
        rejected: dict[str, list[bool]] = {}
        for draw in range(samples):
            x = g.standard_normal((80, 2))
            scale = np.sqrt(0.4 + 0.6 * x[:, 0] ** 2) if spread is None else spread
            y = x.sum(axis=1) + scale * g.standard_normal(80)
            model = ne.NeuralRegression(y, np.column_stack([np.ones(80), x]), hidden=(2,))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NneconWarning)
                fit = model.fit(n_starts=2, **options)
            given = {"reps": 39, "n_starts": 2, "rng": draw, "choice": "given"}
            tests = {
                "Likelihood ratio": fit.compare_lr_test(**given),
                "F": fit.compare_f_test(**given),
                "Wald": fit.compare_wald_test(**given),
            }
            for name, test in tests.items():
                rejected.setdefault(name, []).append(test.pvalue <= LEVEL)
            chi2 = tests["Likelihood ratio"].asymptotic
            rejected.setdefault("Likelihood ratio by chi-squared (not valid)", []).append(
                chi2 <= LEVEL
            )
            if draw % 25 == 24:
                print(column, draw + 1, {k: np.mean(v) for k, v in rejected.items()}, flush=True)
        for name, shares in rejected.items():
            found.setdefault(name, {})[column] = float(np.mean(shares))
        print(column, {name: found[name][column] for name in rejected}, flush=True)
    return table("Rejections at 5%, in percent", found)


def residuals(samples: int) -> str:
    """Tests of the residuals of a network that is right; 200 quarters, a bend in one regressor."""
    index = pd.period_range("1950Q1", periods=200, freq="Q")
    rejected: dict[str, dict[str, list[bool]]] = {}
    g = np.random.default_rng(3)
    for _ in range(samples):
        x = g.standard_normal((200, 2))
        y = x @ [0.5, -0.5] + np.tanh(2.0 * x[:, 0]) + 0.5 * g.standard_normal(200)
        frame = pd.DataFrame({"y": y, "a": x[:, 0], "b": x[:, 1]}, index=index)
        model = ne.NeuralRegression.from_formula("y ~ a + b", frame, hidden=(2,))
        fit = model.fit(alpha=0.003, alphas=3, n_starts=3, cov_type="nonrobust")
        for on, column in (
            ("network", "network, true"),
            ("baseline", "OLS, wrong"),
        ):
            tests = {
                "Breusch-Godfrey, 10 lags": fit.test_serial_correlation(on=on),
                "Ljung-Box, 10 lags": fit.test_serial_correlation("ljungbox", on=on),
                "ARCH-LM, 10 lags": fit.test_heteroskedasticity("arch", on=on),
                "Breusch-Pagan": fit.test_heteroskedasticity(on=on),
                "White": fit.test_heteroskedasticity("white", on=on),
                "Jarque-Bera": fit.test_normality(on=on),
                "CUSUM": fit.test_stability("cusum", on=on),
                "Terasvirta-Lin-Granger": fit.test_nonlinearity(on=on),
                "RESET": fit.test_reset(on=on),
            }
            for name, test in tests.items():
                rejected.setdefault(name, {}).setdefault(column, []).append(test.pvalue <= LEVEL)
    rows = {
        name: {column: float(np.mean(shares)) for column, shares in columns.items()}
        for name, columns in rejected.items()
    }
    return table("Rejections at 5%, in percent", rows)


TABLES = {
    "nonlinearity": (nonlinearity, 2000),
    "left_out": (left_out, 4000),
    "network": (network, 200),
    "residuals": (residuals, 300),
}

if __name__ == "__main__":
    reader = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    reader.add_argument("table", choices=list(TABLES))
    reader.add_argument("--samples", type=int)
    given = reader.parse_args()
    make, usual = TABLES[given.table]
    print(make(given.samples or usual))
