"""Every picture is a matplotlib figure with labels, and leaves no trace in pyplot."""

import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure

import nnecon as ne

PLOTS = {
    "path": lambda fit: fit.plot_path(),
    "path with units": lambda fit: fit.plot_path(units="percentage points"),
    "cv": lambda fit: fit.plot_cv(),
    "effect": lambda fit: fit.plot_effect("x1", grid=7),
    "category": lambda fit: fit.plot_effect("C(region)[T.West]"),
    "category by variable": lambda fit: fit.plot_effect("region"),
    "fit": lambda fit: fit.plot_fit(),
    "residuals": lambda fit: fit.plot_residuals(),
    "margins": lambda fit: fit.get_margeff().plot(),
    "comparison": lambda fit: fit.compare().plot(),
}


@pytest.mark.parametrize("name", PLOTS)
def test_figures(curved_results, name):
    before, settings = plt.get_fignums(), dict(plt.rcParams)
    figure = PLOTS[name](curved_results)
    assert isinstance(figure, Figure)
    assert figure.axes
    assert any(axes.get_xlabel() or axes.get_ylabel() for axes in figure.axes)
    figure.canvas.draw()
    assert plt.get_fignums() == before
    assert dict(plt.rcParams) == settings


@pytest.mark.parametrize("name", ["path", "cv", "fit", "residuals", "margins", "comparison"])
def test_figures_of_a_series(macro_results, name):
    figure = PLOTS[name](macro_results)
    figure.canvas.draw()


def test_curve_of_a_lag(macro_results):
    figure = macro_results.plot_effect("lag(growth, 1)", grid=5)
    assert any("lag(growth, 1)" in axes.get_xlabel() for axes in figure.axes)


def test_short_path(curved_frame):
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2", curved_frame, hidden=(2,))
    fit = model.fit(alpha=0.05, n_starts=2)
    fit.plot_path().canvas.draw()
    model.fit(alpha=float("inf")).plot_path().canvas.draw()
