"""What every estimator promises, run over a list of estimators. Add a family by adding an entry."""

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import helpers
import numpy as np
import pandas as pd
import pytest

import nnecon as ne


@dataclass(frozen=True)
class Entry:
    """An estimator, a specification of it, and how it is fitted here."""

    estimator: Any
    specification: dict[str, Any] = field(default_factory=dict)
    fit: dict[str, Any] = field(default_factory=dict)
    frame: Callable[[], pd.DataFrame] = helpers.cross_section
    formula: str = "y ~ x1 + x2 + C(region)"

    def model(self, frame=None, **more):
        data = self.frame() if frame is None else frame
        return self.estimator.from_formula(self.formula, data, **self.specification, **more)

    def results(self, frame=None, fit=None, **more):
        return self.model(frame, **more).fit(**{**self.fit, **(fit or {})})


ESTIMATORS = {
    "linear": Entry(ne.NeuralRegression, {"hidden": ()}),
    "network": Entry(ne.NeuralRegression, {"hidden": (2,)}, {"alpha": 0.02, "n_starts": 4}),
    "pure network": Entry(
        ne.NeuralRegression,
        {"hidden": (2,), "linear_part": False, "activation": "logistic"},
        {"alpha": 0.002, "n_starts": 4},
    ),
    "deep network": Entry(ne.NeuralRegression, {"hidden": (3, 2)}, {"alpha": 0.01, "n_starts": 4}),
}


@pytest.fixture(params=ESTIMATORS, scope="module")
def entry(request):
    return ESTIMATORS[request.param]


@pytest.fixture(scope="module")
def results(entry):
    fit = entry.results()
    assert fit.converged
    return fit


def close(one, other, rtol=1e-6):
    scale = np.abs(np.asarray(one)).max()
    np.testing.assert_allclose(np.asarray(other), np.asarray(one), rtol=rtol, atol=rtol * scale)


def same_estimate(one, other, rtol=1e-6):
    """Everything about the function is equal; hidden units may be in another order."""
    close(one.fittedvalues, other.fittedvalues.reindex(one.fittedvalues.index), rtol)
    close(one.get_margeff().margeff, other.get_margeff().margeff, rtol)
    close(one.get_margeff().margeff_se, other.get_margeff().margeff_se, 10 * rtol)
    for name in ("llf", "aic", "bic", "edf", "rsquared", "scale"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=10 * rtol), name


def test_arrays_equal_the_formula(entry, results):
    model = results.model
    design = pd.DataFrame(model.exog, columns=model.exog_names)
    arrays = entry.estimator(model.endog, design, **entry.specification).fit(**entry.fit)
    np.testing.assert_array_equal(arrays.params, results.params)
    np.testing.assert_array_equal(arrays.bse, results.bse)
    np.testing.assert_array_equal(arrays.fittedvalues, results.fittedvalues)
    close(arrays.get_margeff().margeff[["x1", "x2"]], results.get_margeff().margeff[["x1", "x2"]])


def test_order_of_rows_does_not_matter(entry, results):
    frame = entry.frame()
    shuffled = frame.sample(frac=1.0, random_state=0)
    same_estimate(results, entry.results(shuffled))


def test_order_of_regressors_does_not_matter(entry, results):
    if results.model.has_network:
        pytest.skip("other regressors' order draws other starts")
    turned = entry.estimator.from_formula(
        "y ~ C(region) + x2 + x1", entry.frame(), **entry.specification
    ).fit(**entry.fit)
    close(results.params.sort_index(), turned.params.sort_index())


def test_whole_weights_equal_repeated_rows(entry):
    frame = entry.frame()
    repeated = frame.loc[frame.index.repeat(frame["w"].astype(int))].reset_index(drop=True)
    weighted, long = entry.results(frame, weights="w"), entry.results(repeated)
    new = frame.head(20)
    close(weighted.predict(new), long.predict(new))
    close(weighted.get_margeff().margeff, long.get_margeff().margeff)
    assert weighted.rsquared == pytest.approx(long.rsquared, rel=1e-7)


def test_only_ratios_of_weights_matter(entry):
    frame = entry.frame()
    one = entry.results(frame, weights="w")
    ten = entry.results(frame.assign(w=10 * frame["w"]), weights="w")
    close(one.params, ten.params)
    close(one.bse, ten.bse)
    assert ten.scale == pytest.approx(10 * one.scale)
    assert ten.aic == pytest.approx(one.aic)


@pytest.mark.parametrize("factor", [1000.0, -0.01])
def test_units_of_a_regressor(entry, results, factor):
    if factor < 0 and results.model.has_network:
        pytest.skip("a mirrored regressor draws mirrored starts, which may find another minimum")
    frame = entry.frame()
    scaled = entry.results(frame.assign(x1=factor * frame["x1"]))
    effects, others = results.get_margeff(), scaled.get_margeff()
    assert others.margeff["x1"] == pytest.approx(effects.margeff["x1"] / factor, rel=1e-6)
    assert others.margeff_se["x1"] == pytest.approx(
        effects.margeff_se["x1"] / abs(factor), rel=1e-5
    )
    close(effects.margeff.drop("x1"), others.margeff.drop("x1"))
    close(results.fittedvalues, scaled.fittedvalues)
    assert scaled.aic == pytest.approx(results.aic, rel=1e-8)


def test_units_of_the_dependent_variable(entry, results):
    frame = entry.frame()
    scaled = entry.results(frame.assign(y=3.0 + 250.0 * frame["y"]))
    close(250.0 * results.get_margeff().margeff, scaled.get_margeff().margeff)
    close(250.0 * results.get_margeff().margeff_se, scaled.get_margeff().margeff_se, 1e-5)
    close(3.0 + 250.0 * results.fittedvalues, scaled.fittedvalues)
    assert scaled.rsquared == pytest.approx(results.rsquared, rel=1e-8)


def test_the_same_rng_gives_the_same_numbers(entry, results):
    again = entry.results()
    np.testing.assert_array_equal(again.params, results.params)
    np.testing.assert_array_equal(again.cov_params(), results.cov_params())
    one, two = (entry.results(fit={"rng": np.random.default_rng(4)}) for _ in range(2))
    np.testing.assert_array_equal(one.params, two.params)
    np.testing.assert_array_equal(one.params, entry.results(fit={"rng": 4}).params)


def test_global_random_numbers_do_not_matter(entry, results):
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    np.testing.assert_array_equal(entry.results().params, results.params)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_new_rows_that_are_old_rows(entry, results):
    frame = entry.frame()
    rows = frame.iloc[[5, 3, 100]]
    predicted = results.predict(rows)
    assert list(predicted.index) == list(rows.index)
    close(results.fittedvalues[rows.index], predicted, 1e-10)
    close(results.model.predict(results.params, rows), predicted, 1e-8)
    pd.testing.assert_series_equal(results.predict(), results.fittedvalues)
    table = results.get_prediction(rows).summary_frame()
    whole = results.get_prediction().summary_frame()
    close(whole.loc[rows.index], table, 1e-8)


def test_predictions_need_no_dependent_variable(entry, results):
    rows = entry.frame().iloc[:4]
    close(results.predict(rows), results.predict(rows.drop(columns=["y", "w", "firm"])))


def test_results_and_models_do_not_change(entry, results):
    for thing in (results, results.model):
        with pytest.raises(AttributeError, match="immutable"):
            thing.params = 1
        with pytest.raises(AttributeError, match="immutable"):
            del thing.model
    with pytest.raises(AttributeError):
        results.solution.converged = True


def test_fit_leaves_model_and_data_alone(entry):
    frame = entry.frame()
    before = frame.copy(deep=True)
    model = entry.model(frame, weights="w")
    state = copy.deepcopy({k: v for k, v in vars(model).items() if k != "design"})
    exog, endog = model.exog.copy(), model.endog.copy()
    one = model.fit(**entry.fit)
    two = model.fit(**entry.fit)
    np.testing.assert_array_equal(one.params, two.params)
    np.testing.assert_array_equal(model.exog, exog)
    np.testing.assert_array_equal(model.endog, endog)
    np.testing.assert_array_equal(model.weights, state["weights"])
    assert set(vars(model)) == {*state, "design"}
    pd.testing.assert_frame_equal(frame, before)
    # what happens to the frame afterwards does not reach the model either
    values = one.predict(frame.iloc[:3]).copy()
    frame.loc[:, "y"] = 0.0
    np.testing.assert_array_equal(model.endog, endog)
    close(values, one.predict(before.iloc[:3]))


def test_returned_tables_are_copies(entry, results):
    first = results.params.iloc[0]
    taken = results.cov_params()
    taken.iloc[0, 0] = -1.0
    assert results.cov_params().iloc[0, 0] > 0
    frame = results.get_margeff().summary_frame()
    frame.iloc[:, 0] = 0.0
    assert (results.get_margeff().summary_frame().iloc[:, 0] != 0).any()
    assert results.params.iloc[0] == first


def test_with_cov_returns_new_results(entry, results):
    before = results.bse.copy()
    other = results.with_cov("cluster", groups="firm")
    assert other is not results and type(other) is type(results)
    assert (other.cov_type, results.cov_type) == ("cluster", "HC1")
    np.testing.assert_array_equal(other.params, results.params)
    pd.testing.assert_series_equal(results.bse, before)
    assert not np.allclose(other.get_margeff().margeff_se, results.get_margeff().margeff_se)
    direct = entry.results(fit={"cov_type": "cluster", "cov_kwds": {"groups": "firm"}})
    np.testing.assert_allclose(direct.bse, other.bse, rtol=1e-12)
    for kind in ("nonrobust", "HC0", "HC2", "HC3"):
        assert np.isfinite(results.with_cov(kind).get_margeff().margeff_se).all()


def test_results_at_the_estimate_are_the_results(entry, results):
    there = results.model.results_at(results.params, alpha=results.alpha)
    same_estimate(results, there, 1e-7)
    close(results.bse, there.bse, 1e-6)
    assert there.converged
    moved = results.model.results_at(results.params * 1.1, alpha=results.alpha)
    assert not moved.converged
    assert moved.solution.objective > results.solution.objective


def test_pickling(entry, results):
    for copied in (pickle.loads(pickle.dumps(results)), copy.deepcopy(results)):
        pd.testing.assert_series_equal(copied.params, results.params)
        pd.testing.assert_series_equal(copied.bse, results.bse)
        rows = entry.frame().iloc[:5]
        pd.testing.assert_series_equal(copied.predict(rows), results.predict(rows))
        assert copied.summary().as_text() == results.summary().as_text()
    again = pickle.loads(pickle.dumps(results.model)).fit(**entry.fit)
    np.testing.assert_array_equal(again.params, results.params)


def test_names_and_shapes(entry, results):
    k = len(results.model.param_names)
    assert results.params.shape == results.bse.shape == (k,)
    assert results.cov_params().shape == (k, k)
    assert list(results.params.index) == list(results.model.param_names)
    assert results.conf_int().shape == (k, 2)
    assert results.nobs == len(entry.frame())
    assert results.nobs - results.edf == pytest.approx(results.df_resid)
    assert results.resid.index.equals(entry.frame().index)
    np.testing.assert_allclose(results.resid + results.fittedvalues, results.model.endog)
