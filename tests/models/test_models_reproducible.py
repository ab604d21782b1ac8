"""Bit for bit the same: in fresh processes, and with other numbers of threads."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import nnecon as ne
from nnecon.estimation import execution

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import jax, jax.numpy as jnp, numpy as np, nnecon as ne
g = np.random.default_rng(0)
x = g.standard_normal((70, 2))
y = np.tanh(2 * x[:, 0]) - x[:, 1] + 0.3 * g.standard_normal(70)
model = ne.NeuralRegression(y, np.column_stack([np.ones(70), x]), hidden=(3,))
fit = model.fit(alphas=6, n_starts=3, cv=3)
print(fit.params.to_numpy().tobytes().hex())
print(fit.path.params.tobytes().hex(), fit.cv.scores.tobytes().hex())
print(fit.cov_params().to_numpy().tobytes().hex())
print(jax.config.jax_enable_x64, jnp.ones(1).dtype)
"""


def fresh_process(**environment):
    return subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    ).stdout


def test_fresh_processes_give_the_same_bits():
    first = fresh_process(PYTHONHASHSEED="1")
    second = fresh_process(PYTHONHASHSEED="2", OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    assert len(first) > 1000
    assert first == second
    assert first.endswith("False float32\n"), "the user's own JAX settings stay as they are"


def test_number_of_threads_does_not_matter(monkeypatch):
    g = np.random.default_rng(0)
    x = g.standard_normal((60, 2))
    y = np.tanh(2 * x[:, 0]) - x[:, 1] + 0.3 * g.standard_normal(60)
    model = ne.NeuralRegression(y, np.column_stack([np.ones(60), x]), hidden=(3,))
    fits = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(execution, "cores", lambda threads=threads: threads)
        fits.append(model.fit(alphas=6, n_starts=4))
    for fit in fits[1:]:
        np.testing.assert_array_equal(fit.path.params, fits[0].path.params)
        np.testing.assert_array_equal(fit.cv.scores, fits[0].cv.scores)
        np.testing.assert_array_equal(fit.params, fits[0].params)
