"""The chart of variables entering the network."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from nnecon.exceptions import DataError
from nnecon.report.plots import plot_selection, to_svg
from nnecon.report.plots.selection import NETWORK, OUTSIDE

ALPHAS = np.r_[np.inf, np.geomspace(0.1, 1e-4, 9)]


def _norms(variables):
    entry = 1 + np.arange(variables) % 8
    size = np.maximum(np.arange(10)[:, None] - entry + 1.0, 0.0) ** 0.5
    return pd.DataFrame(size, columns=[f"x_{j}$" for j in range(variables)])


def _bars(figure):
    """Colour and horizontal spans of each row."""
    rows = {}
    for collection in figure.axes[1].collections:
        for path in collection.get_paths():
            box = path.get_extents()
            if box.height > 0:
                color = mpl.colors.to_hex(collection.get_facecolor()[0])
                rows.setdefault(round(box.y0 + 0.28), []).append((color, box.x0, box.x1))
    return rows


def test_rows_are_in_order_of_entry_and_show_who_is_in_at_the_chosen_penalty():
    norms = _norms(4).iloc[:, [2, 0, 3, 1]].assign(never=0.0)
    figure = plot_selection(ALPHAS, norms, chosen=ALPHAS[2])
    labels = [tick.get_text() for tick in figure.axes[1].get_yticklabels()]
    assert labels == ["1.  x_0$", "2.  x_1$", "3.  x_2$", "4.  x_3$", "–  never"]
    bars = _bars(figure)
    colors = [bars[row][0][0].upper() for row in range(4)]
    assert colors == [NETWORK] * 2 + [OUTSIDE.upper()] * 2
    begins = [bars[row][0][1] for row in range(4)]
    assert begins == sorted(begins) and len(set(begins)) == 4 and 4 not in bars


def test_a_variable_that_leaves_has_two_bars():
    norms = pd.DataFrame({"x": [0, 0, 1, 1, 0, 0, 1, 1, 1, 1.0], "z": np.arange(10.0)})
    assert [len(row) for row in _bars(plot_selection(ALPHAS, norms)).values()] == [1, 2]


def test_lines_begin_at_zero_and_pass_through_the_norms():
    norms = _norms(3)
    lines = [line for line in plot_selection(ALPHAS, norms).axes[0].get_lines()][:50]
    drawn = {str(line.get_label()).lstrip("_"): line.get_ydata() for line in lines}
    np.testing.assert_array_equal(drawn["x_2$"], norms["x_2$"].to_numpy()[2:])


@pytest.mark.parametrize("variables", [1, 9, 30])
@pytest.mark.parametrize("width", [4.2, 7.2])
def test_it_draws_at_any_size_the_same_each_time(variables, width):
    def draw():
        return plot_selection(ALPHAS, _norms(variables), chosen=0.1, figsize=(width, 6))

    assert to_svg(draw()) == to_svg(draw())


def test_an_empty_network_says_so():
    figure = plot_selection(ALPHAS, _norms(3) * 0.0, chosen=np.inf)
    assert any("no variable" in text.get_text() for text in figure.axes[0].texts)
    to_svg(figure)


def test_the_label_names_nonlinearity_only_beside_a_linear_part():
    both = plot_selection(ALPHAS, _norms(3)).axes[1].get_ylabel()
    alone = plot_selection(ALPHAS, _norms(3), linear_part=False).axes[1].get_ylabel()
    assert "nonlinearly" in both and "nonlinearly" not in alone


def test_lengths_that_differ_are_named():
    with pytest.raises(DataError, match="one length"):
        plot_selection(ALPHAS[1:], _norms(2))
