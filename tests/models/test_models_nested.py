"""Nested cross-validation: what is left out has no part in anything."""

import helpers
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.model_selection import GroupKFold, KFold, RepeatedKFold

import nnecon as ne
from nnecon.estimation.splitters import BlockedFolds, ExpandingFolds, StratifiedFolds
from nnecon.exceptions import DataError, SpecificationError
from nnecon.inference.accuracy import diebold_mariano
from nnecon.inference.covariance import automatic_lags
from nnecon.models.nested import nested_cv, on_rows

FORMULA = "y ~ x1 + x2 + C(region)"
QUICK = {"cv": 3, "alphas": 5, "n_starts": 2}


def model(frame, formula=FORMULA, **options):
    return ne.NeuralRegression.from_formula(formula, frame, **{"hidden": (2,), **options})


@pytest.fixture(scope="module")
def frame():
    # rows that three folds share equally, so that one shape is compiled
    return helpers.cross_section(150)


@pytest.fixture(scope="module")
def nested(frame):
    return nested_cv(model(frame), KFold(3, shuffle=True, random_state=1), **QUICK)


def test_every_row_is_predicted_by_a_fit_to_the_others(frame, nested):
    """Repeated by hand: the same numbers from models built on the training rows alone."""
    whole = model(frame)
    for number, (train, test) in enumerate(
        KFold(3, shuffle=True, random_state=1).split(whole.exog)
    ):
        design = pd.DataFrame(whole.exog, columns=whole.exog_names)
        part = ne.NeuralRegression(whole.endog[train], design.iloc[train], hidden=(2,))
        by_hand = part.fit(**QUICK)
        assert nested.alphas[number] == by_hand.alpha
        rows = nested.predictions[nested.predictions["fold"] == number]
        assert rows["position"].tolist() == test.tolist()
        helpers.assert_close(rows["network"], by_hand.predict(design.iloc[test]))
        ols = sm.OLS(whole.endog[train], whole.exog[train]).fit()
        helpers.assert_close(rows["baseline"], ols.predict(whole.exog[test]))
        errors = whole.endog[test] - rows[["network", "baseline"]].T.to_numpy()
        assert nested.scores[number] == pytest.approx(np.mean(errors[0] ** 2))
        assert nested.baseline_scores[number] == pytest.approx(np.mean(errors[1] ** 2))
        best = by_hand.cv.mean[by_hand.cv.alphas == by_hand.alpha]
        assert nested.inner_scores[number] == pytest.approx(best[0])
        classical = by_hand.cv.baseline_scores.mean()
        assert nested.inner_baseline_scores[number] == pytest.approx(classical)


def test_labels_frame_and_words(frame, nested):
    assert sorted(nested.predictions.index) == list(frame.index)
    assert nested.predictions["position"].nunique() == len(frame)
    table = nested.to_frame()
    assert (table["train"] + table["test"] == len(frame)).all()
    helpers.assert_close(table["network"] ** 2, nested.scores)
    helpers.assert_close(table["ratio"] ** 2, nested.scores / nested.baseline_scores)
    assert (table["inner_ratio"] <= 1 + 1e-9).all()
    assert nested.score == pytest.approx(nested.scores.mean())
    assert nested.se == pytest.approx(nested.scores.std(ddof=1) / np.sqrt(3))
    text = str(nested.summary())
    assert "3 folds of KFold" in text and "3 shuffled folds" in text and "RMSE of OLS" in text
    assert "<table" in nested._repr_html_()
    figure = nested.plot()
    assert [t.get_text().split("\n")[0] for t in figure.axes[0].get_yticklabels()][
        -1
    ] == "All folds"


def test_shuffled_folds_are_compared_with_the_corrected_variance(nested):
    difference = nested.scores - nested.baseline_scores
    variance = (1 / 3 + 50 / 100) * difference.var(ddof=1)
    assert nested.test.name == "Nadeau-Bengio" and nested.test.df == (2.0,)
    assert nested.test.statistic == pytest.approx(difference.mean() / np.sqrt(variance))
    assert nested.test.sentence in nested.sentence
    assert "Nadeau and Bengio (2003)" in nested.notes[1]


def test_rows_left_out_have_no_influence_on_their_own_predictions(frame):
    """An absurd outcome in one row moves the predictions of all folds but its own."""
    outer = KFold(3)
    spoilt = frame.copy()
    spoilt.loc[0, "y"] = 1e3
    first, second = (
        nested_cv(model(data), outer, alpha=0.05, alphas=3, n_starts=1) for data in (frame, spoilt)
    )
    own = (first.predictions["fold"] == 0).to_numpy()
    for column in ("network", "baseline"):
        one, other = (run.predictions[column].to_numpy() for run in (first, second))
        np.testing.assert_array_equal(one[own], other[own])
        assert (np.abs(one[~own] - other[~own]) > 0.1).mean() > 0.9
    assert np.isnan(first.inner_scores).all() and "Inner" not in str(first)


def test_classical_models_tie():
    data = helpers.cross_section(60)
    found = nested_cv(model(data, hidden=()), 4)
    assert found.classical.all() and not found.test.applies
    assert found.sentence == "The procedure chose OLS in every outer fold."
    words = [text.get_text() for text in found.plot().axes[0].texts]
    assert all(word.endswith("(+0.0%)") for word in words)
    weighted = nested_cv(model(data, hidden=(), weights="w"), KFold(4))
    whole = model(data, hidden=(), weights="w")
    for (train, test), score in zip(KFold(4).split(whole.exog), weighted.scores, strict=True):
        fit = sm.WLS(whole.endog[train], whole.exog[train], weights=whole.weights[train]).fit()
        square = (whole.endog[test] - fit.predict(whole.exog[test])) ** 2
        assert score == pytest.approx(np.average(square, weights=whole.weights[test]))


def test_time_series_are_split_in_time_inside_and_outside():
    data = helpers.macro().iloc[:110]
    formula = "growth ~ lag(growth, 1) + lag(unemp, 1)"
    assert (
        nested_cv(model(data, formula, hidden=()), 3).outer == "3 expanding windows in time order"
    )
    rolling, quick = ExpandingFolds(2, initial=50, window=50), {**QUICK, "alphas": 3, "n_starts": 1}
    found = nested_cv(model(data, formula), rolling, **quick)
    assert found.inner == "3 expanding windows in time order"
    assert found.predictions.index.is_monotonic_increasing
    # an index of whole numbers is no time index any more once lags are columns
    numbered = data.reset_index(drop=True)
    again = nested_cv(model(numbered, formula), rolling, **quick)
    assert again.inner == found.inner
    helpers.assert_close(again.scores, found.scores)


def test_folds_that_look_ahead_are_compared_row_by_row():
    data = helpers.macro().iloc[:110]
    whole = model(data, "infl ~ lag(infl, 1) + lag(unemp, 1)", hidden=(1,))
    found = nested_cv(whole, 2, alpha=0.002, alphas=3, n_starts=2)
    rows = found.predictions
    losses = [((rows["actual"] - rows[name]) ** 2).to_numpy() for name in ("network", "baseline")]
    expected = diebold_mariano(*losses, automatic_lags(len(rows)))
    assert found.test.name == "Diebold-Mariano"
    assert found.test.statistic == pytest.approx(expected.statistic, rel=1e-6)
    assert found.test.df == (len(rows) - 1.0,)
    assert "Diebold and Mariano (1995)" in found.notes[1]


def test_a_gap_is_left_out_of_training():
    data = helpers.macro().iloc[:110]
    classical = model(data, "growth ~ lag(growth, 1)", hidden=())
    found = nested_cv(classical, BlockedFolds(3, gap=2))
    assert found.train_sizes.sum() == 2 * len(found.predictions) - 4 * 2


def test_groups_stay_together_inside_and_outside(frame):
    found = nested_cv(model(frame), 2, groups="firm", **QUICK)
    assert "whole groups" in found.outer and "whole groups" in found.inner
    firm = frame["firm"].to_numpy()[found.predictions["position"]]
    assert (pd.crosstab(firm, found.predictions["fold"]) > 0).sum(axis=1).eq(1).all()
    assert found.test.name == "Nadeau-Bengio" and found.test.df == (1.0,)


def test_repeated_folds_all_count_in_the_test(frame):
    outer = RepeatedKFold(n_splits=2, n_repeats=2, random_state=0)
    found = nested_cv(model(frame), outer, alpha=0.005, alphas=2, n_starts=1)
    assert len(found.predictions) == 2 * len(frame)
    assert found.test.df == (3.0,)


def test_inner_strata_follow_the_rows(frame):
    cv = StratifiedFolds(3, by="region")
    found = nested_cv(model(frame), 2, cv=cv, alphas=4, n_starts=1)
    assert "stratified by 3 classes" in found.inner


def test_a_generator_gives_every_fold_its_own_stream(frame):
    first, second = (
        nested_cv(model(frame), 2, rng=np.random.default_rng(5), **QUICK) for _ in range(2)
    )
    np.testing.assert_array_equal(first.predictions["network"], second.predictions["network"])


def test_own_functions_are_kept(frame):
    import jax.numpy as jnp

    def curve(b, x):
        return b[0] + b[1] * jnp.tanh(b[2] * x[0])

    start = {"a": 0.1, "b": 1.0, "c": 1.0}
    whole = ne.NeuralRegression(frame["y"], frame[["x1"]], network=curve, start_params=start)
    part = on_rows(whole, np.arange(50))
    assert part.param_names == ["a", "b", "c"] and len(part.endog) == 50
    found = nested_cv(whole, 3)
    assert found.converged.all() and np.isfinite(found.scores).all()


def test_a_category_that_the_training_rows_lack_is_named(frame):
    ordered = frame.sort_values("region").reset_index(drop=True)
    with pytest.raises(DataError, match=r"outer fold 2 cannot be used: .*West.*StratifiedFolds"):
        nested_cv(model(ordered), KFold(3), alpha=0.1, alphas=2, n_starts=1)


def test_options_without_effect_are_refused(frame):
    with pytest.raises(SpecificationError, match="cov_type has no effect"):
        nested_cv(model(frame), cov_type="HC0")
    with pytest.raises(SpecificationError, match="pass groups= to fit"):
        nested_cv(model(frame), GroupKFold(3))


@pytest.mark.slow
def test_noise_is_scored_honestly():
    """The penalty that is best on its own folds never looks worse than OLS there, and looks better
    there than on rows left out.
    """
    inner, outer = [], []
    for seed in range(6):
        g = np.random.default_rng(seed)
        data = pd.DataFrame(g.standard_normal((60, 4)), columns=["y", "a", "b", "c"])
        found = nested_cv(model(data, "y ~ a + b + c", hidden=(4,)), 3, cv=3, alphas=8, n_starts=3)
        inner.append(found.inner_scores.mean() / found.inner_baseline_scores.mean())
        outer.append(found.score / found.baseline_score)
    assert max(inner) <= 1 + 1e-9, "the classical model is among the candidates"
    assert np.mean(outer) > np.mean(inner)
