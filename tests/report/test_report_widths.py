"""Charts at the width of one journal column and of a page: nothing clipped, nothing overlapping."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from nnecon.report import plots

ALPHAS = np.r_[np.inf, np.logspace(0, -4, 12)]
QUARTERS = pd.period_range("1970Q1", periods=120, freq="Q")
RNG = np.random.default_rng(0)
RESID = RNG.normal(size=120)
NAMES = ["lag(growth, 1)", "lag(diff(unemp), 2)", "school[T.some college]", "tbilrate"]
LONG = "Increase of the mean squared error of household income, 1000 dollars"
GRID = np.linspace(0, 1, 9)


def surface():
    at = pd.MultiIndex.from_product([GRID, GRID], names=["age", "TVnews"])
    x, z = (at.get_level_values(level).to_numpy() for level in (0, 1))
    mean = x + z + x * z
    return pd.DataFrame(
        {
            "mean": mean,
            "mean_ci_lower": mean - 1,
            "mean_ci_upper": mean + 1,
            "interaction": x * z,
            "interaction_se": 0.1,
        },
        index=at,
    )


def draw(kind, width):
    effects = pd.DataFrame(np.cumsum(RNG.normal(size=(13, 4)), axis=0), columns=NAMES)
    bars = pd.DataFrame({"effect": 1.0, "lower": 0.5, "upper": 1.5}, index=NAMES)
    levels = ["grade", "some high", "high", "some college", "college", "master", "doctor"]
    size = (width, 3.0 if width < 5 else 4.2)
    about = {"xlabel": LONG, "ylabel": LONG, "title": f"Mean of income along {NAMES[1]}"}
    charts = {
        "residuals": lambda: plots.plot_residuals(
            QUARTERS, RESID, RESID, standardised=True, title="Residuals", figsize=size
        ),
        "cross section": lambda: plots.plot_residuals(
            pd.RangeIndex(120), RESID, np.abs(RESID), standardised=True, figsize=size
        ),
        "path": lambda: plots.plot_path(
            ALPHAS,
            effects,
            np.arange(13.0),
            chosen=0.1,
            alpha_1se=np.inf,
            switches=[0.01],
            ylabel="Effect of one standard deviation on diff(unemp)",
            figsize=(width, 4.6),
        ),
        "cv": lambda: plots.plot_cv(
            ALPHAS,
            1 + 0.1 * np.arange(13.0),
            np.full(13, 0.3),
            1.0,
            0.3,
            alpha_min=0.1,
            alpha_1se=np.inf,
            figsize=size,
        ),
        "effect": lambda: plots.plot_effect(
            GRID,
            GRID,
            GRID - 1,
            GRID + 1,
            rug=RESID,
            baseline=2 * GRID,
            band=np.array([GRID - 2, GRID + 2]),
            figsize=size,
            **about,
        ),
        "category": lambda: plots.plot_effect(
            levels,
            np.arange(7.0),
            np.arange(7.0) - 1,
            np.arange(7.0) + 1,
            rug=np.repeat(levels, 40),
            baseline=np.arange(7.0),
            figsize=size,
            **about,
        ),
        "margins": lambda: plots.plot_margins(bars, bars, xlabel=LONG, figsize=size),
        "surface": lambda: plots.plot_surface(
            surface(),
            xlabel="Age, years",
            ylabel="Television news, days",
            zlabel="Household income, 1000 dollars",
            title="Mean of household income along age and television news",
            figsize=size,
        ),
    }
    return charts[kind]()


def texts_of(figure):
    """Titles, labels, legends and named ticks, which have to be legible, with their boxes."""
    figure.draw_without_rendering()
    found = [text for text in (figure._suptitle, figure._supxlabel) if text is not None]
    for legend in figure.legends:
        found += legend.get_texts()
    for ax in figure.axes:
        found += [ax._left_title, ax.xaxis.label, ax.yaxis.label]
        ticks = ax.get_xticklabels() + ax.get_yticklabels()
        found += [tick for tick in ticks if any(c.isalpha() for c in tick.get_text())]
    shown = [text for text in found if text.get_text().strip() and text.get_visible()]
    return [(text, text.get_window_extent()) for text in shown]


KINDS = ["residuals", "cross section", "path", "cv", "effect", "category", "margins", "surface"]


@pytest.mark.parametrize("width", [3.3, 6.5])
@pytest.mark.parametrize("kind", KINDS)
def test_texts_stay_within_the_figure_and_apart(kind, width):
    figure = draw(kind, width)
    assert figure.bbox.width / figure.dpi == width
    found = texts_of(figure)
    assert len(found) > 3
    for text, box in found:
        inside = box.x0 > -2 and box.y0 > -2
        inside &= box.x1 < figure.bbox.width + 2 and box.y1 < figure.bbox.height + 2
        assert inside, (text.get_text(), box)
        assert text.get_fontsize() >= 6
    # boxes of turned labels overlap though their letters do not
    level = [pair for pair in found if pair[0].get_rotation() in (0.0, 90.0)]
    for (first, a), (second, b) in combinations(level, 2):
        assert not a.padded(-1).overlaps(b.padded(-1)), (first.get_text(), second.get_text())


def test_panels_of_a_narrow_figure_have_room():
    """Four panels in a square of 3.3 inches would be lines: the figure grows."""
    figure = draw("residuals", 3.3)
    assert min(ax.get_window_extent().height for ax in figure.axes) > 0.6 * figure.dpi
    assert draw("residuals", 6.5).bbox.height / figure.dpi == pytest.approx(4.2)
    stacked = draw("surface", 3.3).axes
    assert stacked[0].get_window_extent().x0 == pytest.approx(stacked[1].get_window_extent().x0, 2)


def test_texts_of_a_figure_of_the_user_s_are_left_alone():
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.3, 3.0))
    plots.plot_effect(GRID, GRID, GRID - 1, GRID + 1, title="T" * 80, ax=figure.add_subplot())
    assert figure.axes[0].get_title(loc="left") == "T" * 80
