"""Path and cross-validation against scikit-learn's grid search, interleaved in one run.

    python tests/benchmarks/bench_path.py --repeats 5

Data: 1,000 rows, 8 standard normal inputs, y = sin(2 x1) + x2 x3 + x4^2 / 2 + .3 x5 + .3 e,
standardised; 16 tanh units and no linear part, as the peer has none; 30 penalties from 1 to 1e-6,
5 folds, 4 starts. The peer is
``MLPRegressor(solver="lbfgs", max_iter=1000)`` on the same grid under joblib, with one BLAS thread
a process. scikit-learn divides its alpha by the number of rows; it gets the same penalty in our
units. Of the starts the one with the least training objective counts, for both.
"""

import argparse
import operator
import os
import statistics
import time
import warnings

import numpy as np
from joblib import Parallel, delayed
from measure import Requirement, show, small_data
from sklearn.model_selection import KFold
from sklearn.neural_network import MLPRegressor
from threadpoolctl import threadpool_limits

import nnecon as ne

ALPHAS = np.logspace(0, -6, 30)
FOLDS, STARTS, UNITS = 5, 4, 16


def own(x: np.ndarray, y: np.ndarray, seed: int) -> tuple[float, float]:
    """Seconds and best cross-validated error of nnecon."""
    begin = time.perf_counter()
    exog = np.column_stack([np.ones(len(y)), x])
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    model = ne.NeuralRegression(y, exog, hidden=(UNITS,), linear_part=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ne.exceptions.ConvergenceWarning)
        path = model.fit(alphas=ALPHAS, cv=folds, n_starts=STARTS, rng=seed).path
    return time.perf_counter() - begin, float(path.cv_mean.min())


def _one(x, y, train, test, alpha, start):
    peer = MLPRegressor(
        hidden_layer_sizes=(UNITS,),
        activation="tanh",
        solver="lbfgs",
        alpha=alpha * len(train),
        max_iter=1000,
        random_state=start,
    )
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer.fit(x[train], y[train])
    return peer.loss_, float(np.mean((y[test] - peer.predict(x[test])) ** 2))


def peer(x: np.ndarray, y: np.ndarray, seed: int) -> tuple[float, float]:
    """Seconds and best cross-validated error of scikit-learn."""
    begin = time.perf_counter()
    folds = list(KFold(FOLDS, shuffle=True, random_state=seed).split(x))
    jobs = [
        (train, test, alpha, start)
        for alpha in ALPHAS
        for train, test in folds
        for start in range(STARTS)
    ]
    with Parallel(n_jobs=os.cpu_count()) as pool:
        scores = np.array(pool(delayed(_one)(x, y, *job) for job in jobs))
    scores = scores.reshape(len(ALPHAS), FOLDS, STARTS, 2)
    best = scores[..., 0].argmin(axis=2)[..., None, None]
    errors = np.take_along_axis(scores, best, axis=2)[:, :, 0, 1]
    return time.perf_counter() - begin, float(errors.mean(axis=1).min())


def measure(repeats: int) -> list[Requirement]:
    """Print a line a repeat; the ratio of times and that of errors."""
    own(*small_data(0), seed=0)  # compile
    rows = []
    for seed in range(repeats):
        x, y = small_data(seed)
        rows.append((*own(x, y, seed), *peer(x, y, seed)))
        seconds, error, other_seconds, other_error = rows[-1]
        print(
            f"rng {seed}: nnecon {seconds:.1f} s, CV {error:.4f}; "
            f"scikit-learn {other_seconds:.1f} s, CV {other_error:.4f}",
            flush=True,
        )
    used, error, other_used, other_error = (list(column) for column in zip(*rows, strict=True))
    own_median, other_median = statistics.median(used), statistics.median(other_used)
    return [
        Requirement(
            "Path and cross-validation: speed against scikit-learn's grid search",
            other_median / own_median,
            10.0,
            True,
            f"nnecon {own_median:.1f} s, scikit-learn {other_median:.1f} s",
        ),
        Requirement(
            "Path and cross-validation: best CV error relative to scikit-learn's, mean over rng",
            statistics.mean(map(operator.truediv, error, other_error)),
            1.02,
            False,
            f"nnecon {statistics.mean(error):.4f}, scikit-learn {statistics.mean(other_error):.4f}",
        ),
    ]


def main() -> None:
    """Print a line a repeat and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    show(measure(parser.parse_args().repeats))


if __name__ == "__main__":
    main()
