import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from nnecon.exceptions import DataError
from nnecon.report import plots
from nnecon.report.plots.paths import _spread
from nnecon.report.plots.penalty_axis import PenaltyAxis
from nnecon.report.plots.series import _with_gaps

ALPHAS = np.r_[np.inf, np.logspace(1, -4, 12)]
QUARTERS = pd.period_range("1990Q1", periods=60, freq="Q")
RNG = np.random.default_rng(0)
RESID = RNG.normal(size=60)
FITTED = RNG.normal(size=60)
EFFECTS = pd.DataFrame(
    {"effect": [0.2, -1.0], "lower": [0.1, -2.0], "upper": [0.3, 0.0]},
    index=["infl", "lag(growth, 1)"],
)


def path(**kw):
    effects = pd.DataFrame(RNG.normal(size=(13, 9)), columns=[f"x_{i}$" for i in range(9)])
    return plots.plot_path(
        ALPHAS, effects, np.arange(13.0), chosen=0.1, alpha_1se=1.0, switches=[0.01, 1e-3], **kw
    )


def cv(**kw):
    folds = RNG.normal(size=(5, 13)) + 10
    return plots.plot_cv(
        ALPHAS,
        folds.mean(axis=0),
        folds.std(axis=0),
        baseline_mean=10.0,
        baseline_se=0.4,
        alpha_min=0.1,
        alpha_1se=np.inf,
        fold_scores=folds,
        **kw,
    )


def effect(**kw):
    x = np.linspace(0, 1, 9)
    return plots.plot_effect(x, x, x - 1, x + 1, rug=RESID, baseline=2 * x, xlabel="x", **kw)


def category(**kw):
    return plots.plot_effect(
        ["N", "S"], [1, 2], [0, 1], [2, 3], rug=["N", "S", "S"], baseline=[1, 1], **kw
    )


def margins(**kw):
    return plots.plot_margins(EFFECTS, EFFECTS.iloc[:1], **kw)


def fit(**kw):
    spans = [("1990Q3", "1991Q1"), ("1950Q1", "1951Q1")]
    return plots.plot_fit(
        QUARTERS, RESID, FITTED, baseline=FITTED, name="y", units="pp", recessions=spans, **kw
    )


def cross_section(**kw):
    return plots.plot_fit(pd.RangeIndex(60), RESID, FITTED, baseline=FITTED, **kw)


def with_interval(**kw):
    return fit(lower=FITTED - 1.0, upper=FITTED + 2.0, level=0.9, **kw)


def residuals(**kw):
    return plots.plot_residuals(QUARTERS, RESID, FITTED, units="pp", **kw)


def residuals_cross(**kw):
    return plots.plot_residuals(pd.Index(list("ab") * 30), RESID, FITTED, **kw)


def comparison(**kw):
    frame = pd.DataFrame({"net": [2.9, 9.0], "deep": [3.3, 8.0], "OLS": [3.1, 9.1]})
    return plots.plot_comparison(frame, **kw)


CHARTS = [
    path,
    cv,
    effect,
    category,
    margins,
    fit,
    cross_section,
    with_interval,
    residuals,
    residuals_cross,
    comparison,
]


@pytest.mark.parametrize("draw", CHARTS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("figsize", [(7.2, 5.0), (4.0, 6.0)], ids=["wide", "narrow"])
def test_charts_draw_without_warning_and_leave_no_trace(draw, figsize):
    before = dict(mpl.rcParams)
    fig = draw(figsize=figsize)
    svg = plots.to_svg(fig)
    assert isinstance(fig, Figure)
    assert svg.startswith("<?xml") and "<svg" in svg
    assert dict(mpl.rcParams) == before
    assert fig.canvas.manager is None


@pytest.mark.parametrize("draw", [effect, category, margins, fit, cross_section, cv, comparison])
def test_charts_draw_into_the_callers_axes(draw):
    fig = Figure()
    ax = fig.add_subplot()
    assert draw(ax=ax) is fig
    assert fig.axes == [ax]
    assert ax.has_data()


@pytest.mark.parametrize("draw", [path, residuals])
def test_charts_draw_into_the_callers_figure(draw):
    fig = Figure(figsize=(8, 6))
    assert draw(fig=fig) is fig
    assert len(fig.axes) >= 2


def test_charts_do_not_fall_outside_the_page():
    for draw in CHARTS:
        for figsize in [(7.2, 5.0), (4.0, 6.0)]:
            fig = draw(figsize=figsize)
            fig.draw_without_rendering()
            box = fig.get_tightbbox()
            assert box.x0 > -0.02 and box.x1 < figsize[0] + 0.02, draw.__name__
            assert box.y0 > -0.02 and box.y1 < figsize[1] + 0.02, draw.__name__


def test_saved_files_are_the_same_each_time(tmp_path):
    assert plots.to_svg(fit()) == plots.to_svg(fit())
    a = plots.save_pdf(fit(), tmp_path / "a.pdf").read_bytes()
    b = plots.save_pdf(fit(), tmp_path / "b.pdf").read_bytes()
    assert a == b and a.startswith(b"%PDF")
    assert plots.save_png(fit(), tmp_path / "a.png").stat().st_size > 1000


def test_matplotlib_is_imported_only_when_a_chart_is_drawn():
    code = (
        "import sys, nnecon.report.plots, nnecon.report.tables, nnecon.report.html;"
        "assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_drawing_does_not_import_pyplot():
    code = (
        "import sys, pandas as pd; from nnecon.report.plots import plot_fit, to_svg;"
        "to_svg(plot_fit(pd.period_range('2000Q1', periods=3, freq='Q'), [1,2,3], [1,2,2]));"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_penalties_run_from_infinity_to_zero():
    place = PenaltyAxis(np.array([np.inf, 1.0, 0.1, 0.0]), "OLS")
    assert np.all(np.diff(place(np.array([np.inf, 1.0, 0.1, 0.0]))) > 0)


@pytest.mark.parametrize("alphas", [[], [-1.0], [np.nan], [[1.0]]])
def test_impossible_penalties_are_refused(alphas):
    with pytest.raises(DataError, match="positive numbers"):
        PenaltyAxis(np.array(alphas), "OLS")


@pytest.mark.parametrize("alphas", [[np.inf], [0.5], [np.inf, 0.5], [0.5, 0.4, 0.0]])
def test_short_paths_draw(alphas):
    effects = pd.DataFrame({"x": np.ones(len(alphas))})
    plots.to_svg(plots.plot_path(np.array(alphas), effects, np.ones(len(alphas))))
    plots.to_svg(plots.plot_cv(np.array(alphas), np.ones(len(alphas)), np.zeros(len(alphas))))


def test_order_of_the_penalties_does_not_matter():
    a = plots.plot_cv(ALPHAS, np.arange(13.0), np.ones(13))
    b = plots.plot_cv(ALPHAS[::-1], np.arange(13.0)[::-1], np.ones(13))
    assert plots.to_svg(a) == plots.to_svg(b)


def test_huge_errors_are_cut_off_and_said_so():
    mean = np.r_[10.0, np.linspace(10, 9, 6), np.linspace(9, 60, 6)]
    fig = plots.plot_cv(ALPHAS, mean, np.ones(13), baseline_mean=10.0, baseline_se=1.0)
    (ax,) = fig.axes
    assert ax.get_ylim()[1] < 20
    assert [t.get_text() for t in ax.texts] == ["▲ up to 60"]


def test_labels_are_moved_apart_and_keep_their_order():
    places = np.array([0.0, 0.01, 1.0, -0.01])
    moved = _spread(places, 0.1)
    assert np.all(np.diff(np.sort(moved)) > 0.1 - 1e-12)
    assert list(np.argsort(moved)) == list(np.argsort(places))
    assert moved[2] == 1.0


def test_lines_break_at_gaps_of_the_index():
    index = pd.PeriodIndex(["2000Q1", "2000Q2", "2001Q1"], freq="Q")
    dates, values = _with_gaps(index, index.to_timestamp().to_numpy(), np.array([1.0, 2, 3]))
    assert len(dates) == 4 and np.isnan(values[2])


def test_time_axis_takes_every_index_kind():
    for index in (
        pd.date_range("2000", periods=60, freq="MS"),
        pd.date_range("2000", periods=60, freq="D", tz="Europe/Berlin"),
        pd.period_range("2000", periods=60, freq="Y"),
    ):
        spans = [(index[3], index[9])]
        fig = plots.plot_fit(index, RESID, FITTED, recessions=spans)
        labels = fig.legends[0].get_texts()
        assert [t.get_text() for t in labels] == ["actual", "network", "recession"]


def test_intervals_are_drawn_where_they_are_finite():
    upper = np.where(np.arange(60) == 5, np.inf, FITTED + 2.0)
    fig = fit(lower=FITTED - 1.0, upper=upper, level=0.9)
    names = [text.get_text() for text in fig.legends[0].get_texts()]
    assert "90% interval of an observation" in names
    drawn = fig.axes[0].collections[-1].get_paths()
    assert len(drawn) == 2
    tops = np.concatenate([path.vertices[:, 1] for path in drawn])
    assert tops.max() == np.delete(FITTED, 5).max() + 2.0
    fig = cross_section(lower=FITTED - 1.0, upper=FITTED + 2.0)
    lines = fig.axes[0].collections[0].get_segments()
    assert len(lines) == 60
    np.testing.assert_allclose(lines[3], [[FITTED[3], FITTED[3] - 1], [FITTED[3], FITTED[3] + 2]])


def test_constant_residuals_say_so():
    fig = plots.plot_residuals(QUARTERS, np.zeros(60), FITTED)
    assert fig.axes[1].texts[0].get_text() == "the residuals do not vary"


def test_units_stand_in_parentheses():
    fig = plots.plot_margins(EFFECTS.assign(baseline=[0.1, 0.2]), units="pp", level=0.9)
    assert fig.axes[0].get_xlabel() == "Average partial effect (pp), whiskers: 90% confidence"
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["network", "OLS"]
    assert cv(units="pp²").axes[0].get_ylabel().replace("\n", " ").endswith("(pp²)")
    assert path(units="pp").axes[0].get_ylabel().replace("\n", " ").endswith("(pp)")


def test_errors_name_what_is_wrong():
    with pytest.raises(DataError, match="endog has 2, fitted has 1"):
        plots.plot_fit(pd.RangeIndex(2), [1, 2], [1])
    with pytest.raises(DataError, match="'lower'"):
        plots.plot_margins(EFFECTS.drop(columns="lower"))
    with pytest.raises(DataError, match="no model 'AR'"):
        plots.plot_comparison(pd.DataFrame({"net": [1.0], "OLS": [1.0]}), reference="AR")
    with pytest.raises(DataError, match="row 'loglik'"):
        plots.plot_comparison(pd.DataFrame({"net": [1.0], "OLS": [-1.0]}, index=["loglik"]))
