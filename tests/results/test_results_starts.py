"""What the results say about starts, and about the variables of a sparse network."""

import helpers
import numpy as np
import pytest

import nnecon as ne
from nnecon.exceptions import SpecificationError

FIT = {"alpha": 0.002, "alphas": 8, "n_starts": 6}


@pytest.fixture(scope="module")
def model():
    frame = helpers.cross_section()
    frame["noise"] = np.random.default_rng(5).standard_normal(len(frame))
    return ne.NeuralRegression.from_formula("y ~ x1 + noise + C(region)", frame, hidden=(2,))


@pytest.fixture(scope="module")
def ridge(model):
    return model.fit(**FIT)


@pytest.fixture(scope="module")
def sparse(model):
    return model.fit(**{**FIT, "alpha": 0.005}, L1_wt=1.0, group_inputs=True)


def test_the_path_says_which_starts_were_followed(ridge):
    path = ridge.path
    assert path.n_starts == 6
    assert 0 < path.n_followed < 6
    starts = path.starts
    assert starts["alpha"].isin(path.alphas).all()
    kept = starts.loc[starts["followed"], "objective"]
    dropped = starts.loc[~starts["followed"], "objective"]
    assert kept.max() <= dropped.min()
    best = path.params[np.isin(path.alphas, starts["alpha"])]
    reached = ridge.model.results_at(best[0], float(starts["alpha"].iloc[0])).solution.objective
    assert reached <= kept.min() * (1 + 1e-6)


def test_the_summary_says_so(ridge):
    text = " ".join(str(ridge.summary()).split())
    assert f"6 starts competed at alpha = {ridge.path.starts['alpha'].iloc[0]:.3g}" in text
    assert f"from the best {ridge.path.n_followed}, the others were dropped" in text


def test_few_starts_are_all_followed(model):
    fit = model.fit(alpha=0.002, alphas=4, n_starts=2)
    assert fit.path.n_followed == fit.path.n_starts == 2
    assert "competed" not in str(fit.summary())


def test_without_a_network_nothing_starts(model):
    fit = model.fit(alpha=np.inf)
    assert fit.path.starts is None
    assert fit.path.n_starts == fit.path.n_followed == 0


def test_starts_are_saved(tmp_path, ridge):
    ridge.save(tmp_path / "ridge.nnecon")
    read = ne.load(tmp_path / "ridge.nnecon").path
    np.testing.assert_array_equal(read.starts.to_numpy(), ridge.path.starts.to_numpy())
    assert read.n_followed == ridge.path.n_followed


def test_selected_variables(sparse):
    chosen = sparse.selection
    assert "x1" in chosen.selected()
    assert chosen.entry.index[0] == "x1"
    assert "noise" not in chosen.selected()
    assert set(chosen.norms) == {"x1", "noise", "region"}
    # by effect: the derivative by a variable that is not in the network is constant
    curve = sparse.effect_curve("noise", 9).frame["mean"].to_numpy()
    np.testing.assert_allclose(np.diff(curve, 2), 0.0, atol=1e-9)
    bent = sparse.effect_curve("x1", 9).frame["mean"].to_numpy()
    assert np.abs(np.diff(bent, 2)).max() > 1e-3


def test_the_summary_names_selected_variables(sparse):
    text = " ".join(str(sparse.summary()).split())
    assert sparse.selection.note in text
    assert "0.005, L1_wt=1" in text


def test_sparse_results_are_saved_and_read(tmp_path, sparse):
    sparse.save(tmp_path / "sparse.nnecon")
    read = ne.load(tmp_path / "sparse.nnecon")
    assert read.edf == pytest.approx(sparse.edf)
    np.testing.assert_allclose(read.bse, sparse.bse)
    assert read.selection.selected() == sparse.selection.selected()


def test_ridge_selects_nothing(ridge):
    with pytest.raises(SpecificationError, match=r"L1_wt=1\.0 and group_inputs=True"):
        ridge.selection  # noqa: B018
