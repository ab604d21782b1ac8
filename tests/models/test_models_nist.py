"""NIST's nonlinear regressions through ``network=``: certified values from both starts.

Data and certified values: NIST Statistical Reference Datasets, Nonlinear Regression,
https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml (public domain).
"""

import dataclasses
import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import nnecon as ne
from nnecon.estimation.estimate import solve
from nnecon.estimation.problem import PATIENT

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "nist"
e, pi = jnp.exp, np.pi


def exponentials(b, x):
    return b[0] * e(-b[1] * x[0]) + b[2] * e(-b[3] * x[0]) + b[4] * e(-b[5] * x[0])


def peaks(b, x):
    first = b[2] * e(-((x[0] - b[3]) ** 2) / b[4] ** 2)
    return b[0] * e(-b[1] * x[0]) + first + b[5] * e(-((x[0] - b[6]) ** 2) / b[7] ** 2)


def cubic_ratio(b, x):
    top = b[0] + b[1] * x[0] + b[2] * x[0] ** 2 + b[3] * x[0] ** 3
    return top / (1 + b[4] * x[0] + b[5] * x[0] ** 2 + b[6] * x[0] ** 3)


def square_ratio(b, x):
    return (b[0] + b[1] * x[0] + b[2] * x[0] ** 2) / (1 + b[3] * x[0] + b[4] * x[0] ** 2)


def chwirut(b, x):
    return e(-b[0] * x[0]) / (b[1] + b[2] * x[0])


def cycles(b, x):
    def wave(cos, sin, period):
        return cos * jnp.cos(2 * pi * x[0] / period) + sin * jnp.sin(2 * pi * x[0] / period)

    return b[0] + wave(b[1], b[2], 12) + wave(b[4], b[5], b[3]) + wave(b[7], b[8], b[6])


MODELS = {
    "Bennett5": lambda b, x: b[0] * (b[1] + x[0]) ** (-1 / b[2]),
    "BoxBOD": lambda b, x: b[0] * (1 - e(-b[1] * x[0])),
    "Chwirut1": chwirut,
    "Chwirut2": chwirut,
    "DanWood": lambda b, x: b[0] * x[0] ** b[1],
    "ENSO": cycles,
    "Eckerle4": lambda b, x: (b[0] / b[1]) * e(-0.5 * ((x[0] - b[2]) / b[1]) ** 2),
    "Gauss1": peaks,
    "Gauss2": peaks,
    "Gauss3": peaks,
    "Hahn1": cubic_ratio,
    "Kirby2": square_ratio,
    "Lanczos1": exponentials,
    "Lanczos2": exponentials,
    "Lanczos3": exponentials,
    "MGH09": lambda b, x: b[0] * (x[0] ** 2 + x[0] * b[1]) / (x[0] ** 2 + x[0] * b[2] + b[3]),
    "MGH10": lambda b, x: b[0] * e(b[1] / (x[0] + b[2])),
    "MGH17": lambda b, x: b[0] + b[1] * e(-x[0] * b[3]) + b[2] * e(-x[0] * b[4]),
    "Misra1a": lambda b, x: b[0] * (1 - e(-b[1] * x[0])),
    "Misra1b": lambda b, x: b[0] * (1 - (1 + b[1] * x[0] / 2) ** (-2)),
    "Misra1c": lambda b, x: b[0] * (1 - (1 + 2 * b[1] * x[0]) ** (-0.5)),
    "Misra1d": lambda b, x: b[0] * b[1] * x[0] / (1 + b[1] * x[0]),
    "Nelson": lambda b, x: b[0] - b[1] * x[0] * e(-b[2] * x[1]),
    "Rat42": lambda b, x: b[0] / (1 + e(b[1] - b[2] * x[0])),
    "Rat43": lambda b, x: b[0] / (1 + e(b[1] - b[2] * x[0])) ** (1 / b[3]),
    "Roszman1": lambda b, x: b[0] - b[1] * x[0] - jnp.arctan(b[2] / (x[0] - b[3])) / pi,
    "Thurber": cubic_ratio,
}


def read(name):
    """Columns start 1, start 2, estimate, standard error; residual sum of squares; data."""
    lines = (FOLDER / f"{name}.dat").read_text().splitlines()

    def block(title):
        found = next(line for line in lines[:12] if title in line)
        first, last = re.findall(r"lines\s+(\d+)\s+to\s+(\d+)", found)[0]
        return int(first) - 1, int(last)

    first, last = block("Certified Values")
    pattern = r"\s*b\d+\s*=\s*(\S+)\s+(\S+)\s+(\S+)\s+(\S+)"
    rows = [re.match(pattern, line) for line in lines[first - 3 : last + 3]]
    certified = np.array([[float(v) for v in row.groups()] for row in rows if row])
    squares = next(line for line in lines if line.startswith("Residual Sum of Squares"))
    first, last = block("Data ")
    data = np.array(
        [[float(v) for v in line.split()] for line in lines[first:last] if line.strip()]
    )
    return certified, float(squares.split(":")[1]), data


def digits(actual, certified):
    """Correct significant digits of the worst number (log relative error)."""
    error = np.abs(np.asarray(actual) - certified) / np.abs(certified)
    return float(-np.log10(np.maximum(error, 1e-16)).min())


@pytest.mark.skipif(not FOLDER.is_dir(), reason="NIST's files are not beside the repository")
@pytest.mark.parametrize("start", [1, 2])
@pytest.mark.parametrize("name", MODELS)
def test_certified_values(name, start):
    certified, squares, data = read(name)
    endog = np.log(data[:, 0]) if name == "Nelson" else data[:, 0]
    model = ne.NeuralRegression(
        endog, data[:, 1:], network=MODELS[name], start_params=certified[:, start - 1]
    )
    fit = model.fit(cov_type="nonrobust")
    assert fit.converged
    assert fit.solution.certificate < 1e-6
    assert digits(fit.params, certified[:, 2]) >= 6.0
    # Lanczos1 is exact to 13 digits: its residuals (sum of squares 1.4e-25) are themselves the
    # rounding error of the data and of the arithmetic, so no double-precision program can
    # reproduce them, or standard errors made from them, to six digits.
    needed = 2.5 if name == "Lanczos1" else 6.0
    assert digits(fit.bse, certified[:, 3]) >= needed
    assert digits(fit.ssr, squares) >= needed
    assert fit.df_resid == pytest.approx(len(data) - len(certified), rel=1e-6)


def test_every_file_has_a_model():
    if not FOLDER.is_dir():
        pytest.skip("NIST's files are not beside the repository")
    assert {path.stem for path in FOLDER.glob("*.dat")} == set(MODELS)


def decay(b, x):
    return b[0] * (1 - e(-b[1] * x[0]))


def rate_data():
    x = np.arange(1.0, 9.0)[:, None]
    return 3.0 * (1 - np.exp(-0.4 * x[:, 0])) + 0.05 * np.cos(x[:, 0] * 7), x


def test_a_start_without_finite_values_is_refused():
    with pytest.raises(ne.exceptions.SpecificationError, match=r"start_params.*row 0"):
        ne.NeuralRegression(*rate_data(), network=decay, start_params=[1.0, -800.0]).fit()


def test_a_flat_start_says_what_is_not_identified():
    """The exponential has underflowed there, so that the data say nothing about the rate."""
    model = ne.NeuralRegression(*rate_data(), network=decay, start_params=[1.0, 2000.0])
    fit = model.fit(cov_type="nonrobust")
    with pytest.warns(ne.exceptions.IdentificationWarning, match="1 of 2 directions"):
        fit.bse  # noqa: B018
    assert fit.edf == pytest.approx(1.0)


def test_iterations_that_run_out_are_no_convergence(monkeypatch):
    certified, _, data = read("MGH10") if FOLDER.is_dir() else pytest.skip("no NIST files")
    tired = dataclasses.replace(PATIENT, first=5, later=5)
    monkeypatch.setattr(solve, "__defaults__", (tired, *solve.__defaults__[1:]))
    model = ne.NeuralRegression(
        data[:, 0], data[:, 1:], network=MODELS["MGH10"], start_params=certified[:, 0]
    )
    with pytest.warns(ne.exceptions.ConvergenceWarning, match="Did not converge in 5 iterations"):
        fit = model.fit()
    assert not fit.converged
    assert fit.solution.certificate > 1e-6
    assert "NO" in fit.summary().as_text()
