"""Simulations behind the tables of docs/standard_errors.md.

``python tests/inference/error_coverage.py lags [replications]`` gives coverages of HAC intervals by
the choice of lags, ``... terms [replications]`` rejections of tests of terms.
"""

import sys
import warnings

import numpy as np
import pandas as pd
from scipy import stats
from scipy.signal import lfilter

import nnecon as ne
from nnecon.estimation.estimate import SOLVERS, solve
from nnecon.estimation.problem import Chain
from nnecon.exceptions import IdentificationWarning
from nnecon.inference.contrasts import quadratic
from nnecon.inference.covariance import Moments, automatic_lags, bread, covariance


def autoregressions(rng, rho, n_obs, count):
    noise = rng.standard_normal((count, n_obs + 200))
    return lfilter([1.0], [1.0, -rho], noise, axis=1)[:, 200:]


def lags(replications=600):
    """Coverage of 95% intervals: intercept, persistent regressor, regressor without memory."""
    rng, rows = np.random.default_rng(0), []
    rules = {
        "rule of thumb": lambda n: {"maxlags": automatic_lags(n)},
        "newey-west": lambda n: {"maxlags": "newey-west"},
        "andrews": lambda n: {"maxlags": "andrews"},
        "newey-west, parzen": lambda n: {"maxlags": "newey-west", "kernel": "parzen"},
        "andrews, parzen": lambda n: {"maxlags": "andrews", "kernel": "parzen"},
    }
    for n in (100, 200, 500):
        for rho in (0.0, 0.5, 0.8, 0.95):
            hits = {rule: [] for rule in rules}
            for _ in range(replications):
                x = autoregressions(rng, rho, n, 3)
                error = autoregressions(rng, rho, n, 1)[0]
                exog = np.column_stack([np.ones(n), x[:2].T, rng.standard_normal(n)])
                params = np.linalg.lstsq(exog, error)[0]
                moments = Moments(error - exog @ params, exog, np.zeros(4))
                middle = bread(moments)
                for rule, options in rules.items():
                    given = {**options(n), "use_correction": True}
                    matrix = covariance(moments, middle, "HAC", given).matrix
                    hits[rule].append(np.abs(params) < 1.96 * np.sqrt(np.diag(matrix)))
            for rule, found in hits.items():
                rows.append((n, rho, rule, *np.mean(found, axis=0)[[0, 1, 3]]))
    names = ["n", "rho", "lags", "intercept", "persistent", "memoryless"]
    return pd.DataFrame(rows, columns=names).set_index(["n", "rho", "lags"])


def rejections(null, alpha, replications, units=4, n_obs=500):
    """Shares of samples in which a term is rejected at 5%, by three tests."""
    rng, start, found = np.random.default_rng(1), None, []
    for _ in range(replications):
        x = rng.standard_normal((n_obs, 3))
        x[:, 2] = 0.5 * x[:, 0] + np.sqrt(0.75) * x[:, 2]
        mean = np.sin(1.5 * x[:, 0]) + 0.5 * x[:, 1]
        mean += {
            "c does nothing": 0.5 * x[:, 1] * x[:, 0],
            "0.12 (c^2 - 1)": 0.12 * (x[:, 2] ** 2 - 1.0),
            "0.15 b c": 0.15 * x[:, 2] * x[:, 1],
        }[null]
        y = mean + (0.5 + 0.3 * np.abs(x[:, 0])) * rng.standard_normal(n_obs)
        frame = pd.DataFrame(x, columns=["a", "b", "c"]).assign(y=y)
        model = ne.NeuralRegression.from_formula("y ~ a + b + c", frame, hidden=(units,))
        if start is None:
            start = model.fit(alpha=alpha, n_starts=6).solution.params
        objective, scaling = model._objective()
        [solution] = solve(objective, [Chain.single(np.ones(n_obs), start, alpha)], SOLVERS["lm"])
        transform, offset = model.user_units(scaling)
        for kind in ("HC1", "HC3"):
            fit = model.results_at(transform @ solution.params + offset, alpha, cov_type=kind)
            at = [name == "c" or name.endswith(":c") for name in fit.params.index]
            value, rank = quadratic(
                fit.params[at].to_numpy(), fit.cov_params().loc[at, at].to_numpy()
            )
            row = {
                "all weights": stats.chi2.sf(value, rank),
                "penalised": fit.wald_test_terms(debias=False).table.loc["c", "pvalue"],
                "wald_test_terms": fit.wald_test_terms().table.loc["c", "pvalue"],
                "average effect": fit.get_margeff(debias=False).pvalues["c"],
            }
            found.append({"cov_type": kind, **row})
    return (pd.DataFrame(found).set_index("cov_type") < 0.05).groupby(level=0).mean()


def terms(replications=150):
    """Size and power of tests of terms."""
    nulls = ("c does nothing", "0.12 (c^2 - 1)", "0.15 b c")
    cases = [(null, alpha) for null in nulls for alpha in (0.001, 0.01, 0.05)]
    tables = {case: rejections(*case, replications) for case in cases}
    return pd.concat(tables, names=["effect of c", "alpha"])


if __name__ == "__main__":
    warnings.simplefilter("ignore", IdentificationWarning)
    study = {"lags": lags, "terms": terms}[sys.argv[1]]
    print(study(*map(int, sys.argv[2:])).round(3).to_string())
