"""Variable selection: who is in the network, in what order, and what the result says about it."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from nnecon.data.design import Design
from nnecon.data.variables import columns_by_variable
from nnecon.exceptions import SpecificationError
from nnecon.nets import Dense
from nnecon.results.selection import VariableSelection, variable_selection

ALPHAS = np.array([np.inf, 1.0, 0.5, 0.1, 0.01])
NORMS = pd.DataFrame(
    {
        "late": [0, 0, 0, 0.2, 0.5],
        "first": [0, 1.0, 1.1, 1.2, 1.3],
        "never": [0.0, 0, 0, 0, 0],
        "twin": [0, 2.0, 2.1, 2.2, 2.3],
        "back": [0, 0, 0.3, 0, 0.4],
    },
    index=pd.Index(ALPHAS, name="alpha"),
)


def test_order_of_entry():
    entry = VariableSelection(NORMS, 0.1, True).entry
    assert list(entry.index) == ["twin", "first", "back", "late", "never"]
    assert entry["order"].tolist()[:4] == [1, 1, 2, 3] and entry["order"].isna()["never"]
    np.testing.assert_array_equal(entry["alpha"], [1.0, 1.0, 0.5, 0.1, np.nan])
    assert entry["always"].tolist() == [True, True, False, True, False]
    assert entry["selected"].tolist() == [True, True, False, True, False]
    assert entry["norm"].tolist() == [2.2, 1.2, 0.0, 0.2, 0.0]


def test_selected_variables_at_each_penalty():
    selection = VariableSelection(NORMS, 0.5, True)
    assert selection.selected() == ["first", "twin", "back"]
    assert selection.selected(np.inf) == []
    assert selection.selected(0.01) == ["late", "first", "twin", "back"]
    with pytest.raises(SpecificationError, match=r"nearest penalty is 0\.1"):
        selection.selected(0.12)
    with pytest.raises(SpecificationError, match="not on the path"):
        selection.selected(0.0)


def test_the_note_says_that_variables_enter_nonlinearly_only_beside_a_linear_part():
    both = VariableSelection(NORMS, 0.5, True).note
    assert "first, twin and back enter nonlinearly" in both
    assert "late and never enter linearly only" in both
    alone = VariableSelection(NORMS, 0.5, False).note
    assert "linearly" not in alone and "late and never enter not at all" in alone
    assert "no variable enters" in VariableSelection(NORMS, np.inf, False).note
    assert "as given" in str(VariableSelection(NORMS, 0.5, True))


def test_the_frame_is_a_copy():
    selection = VariableSelection(NORMS, 0.5, True)
    frame = selection.to_frame()
    frame.iloc[:, :] = 9.0
    assert (selection.norms == NORMS).all(axis=None)
    with pytest.raises(AttributeError):
        selection.alpha = 1.0


def test_norms_from_parameters_in_either_units():
    network = Dense(4, 3, (2,), "tanh")
    g = np.random.default_rng(0)
    params = g.standard_normal((3, network.n_params))
    weights = params[:, network.layers[0].weights].reshape(3, 2, 3)
    weights[0] = 0.0
    weights[1, :, 1:] = 0.0
    params[:, network.layers[0].weights] = weights.reshape(3, 6)
    columns, alphas = {"x": [1], "region": [2, 3]}, [0.1, 1.0, 0.01]
    found = variable_selection(alphas, params, network, columns, [1, 2, 3], alpha=0.1)
    frame = found.to_frame()
    assert list(frame.index) == [1.0, 0.1, 0.01]
    np.testing.assert_allclose(frame["x"], np.linalg.norm(weights[[1, 0, 2], :, 0], axis=1))
    np.testing.assert_allclose(
        frame["region"], np.sqrt((weights[[1, 0, 2], :, 1:] ** 2).sum(axis=(1, 2)))
    )
    assert found.selected(1.0) == ["x"] and found.selected(0.1) == []
    scale = np.array([2.0, 0.5, 4.0])
    user = params.copy()
    user[:, network.layers[0].weights] = (weights / scale).reshape(3, 6)
    again = variable_selection(
        alphas, user, network, columns, [1, 2, 3], alpha=0.1, input_scale=scale
    )
    np.testing.assert_allclose(again.norms, frame)


def test_it_can_be_drawn():
    figure = VariableSelection(NORMS, 0.5, True).plot()
    assert isinstance(figure, Figure)
    labels = [tick.get_text() for tick in figure.axes[1].get_yticklabels()]
    assert labels == ["1.  twin", "1.  first", "2.  back", "3.  late", "–  never"]


def _columns(formula):
    g = np.random.default_rng(0)
    frame = pd.DataFrame(g.standard_normal((40, 3)), columns=["y", "x", "z"])
    frame["region"] = g.choice(["East", "North", "West"], 40)
    design = Design.from_formula(formula, frame)
    names = design.sample.exog_names
    return {
        variable: [names[at] for at in columns]
        for variable, columns in columns_by_variable(design).items()
    }


def test_columns_that_are_made_from_the_same_variables_belong_together():
    found = _columns("y ~ x + I(x**2) + C(region) + lag(x, 1, 2) + x:z + np.log(z**2)")
    assert found["x"] == ["x", "I(x ** 2)"]
    assert found["region"] == ["C(region)[T.North]", "C(region)[T.West]"]
    assert found["lag(x, 1)"] == ["lag(x, 1)"] and found["lag(x, 2)"] == ["lag(x, 2)"]
    assert found["x:z"] == ["x:z"]
    assert len(found["z"]) == 1
    assert len(found) == 6


def test_columns_of_arrays_are_variables():
    design = Design.from_arrays([1.0, 2, 4, 3], [[1.0, 0, 2], [1, 1, 1], [1, 3, 0], [1, 2, 5]])
    assert columns_by_variable(design) == {"x1": (1,), "x2": (2,)}
