"""Learners keep scikit-learn's conventions, are the model, and serve as nuisance learners."""

import pickle
import subprocess
import sys

import helpers
import numpy as np
import pytest
import sklearn
import statsmodels.api as sm
from sklearn.base import clone
from sklearn.linear_model import LassoCV, LinearRegression
from sklearn.model_selection import KFold, cross_val_predict, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import nnecon as ne

# grids of a few penalties end early
pytestmark = pytest.mark.filterwarnings(
    "ignore:The cross-validated error:nnecon.exceptions.ConvergenceWarning"
)

SMALL = {"hidden": (2,), "alphas": 5, "n_starts": 2}


def frame(n=120, seed=0):
    return helpers.cross_section(n, seed)


def learner(**changes):
    return ne.learners.NeuralRegressor(**{**SMALL, **changes})


def test_all_of_scikit_learns_checks_pass():
    tiny = learner(hidden=(1,), alphas=2, n_starts=1)
    passed, skipped = 0, []
    for estimator, check in estimator_checks_generator(tiny):
        name = check.func.__name__
        try:
            check(estimator)
            passed += 1
        except pytest.skip.Exception:
            skipped.append(name)
        except Exception as error:
            # SkipTest: the check needs an environment variable that is read before SciPy is loaded
            if type(error).__name__ != "SkipTest":
                raise AssertionError(f"{name} failed") from error
            skipped.append(name)
    assert set(skipped) <= {"check_array_api_input"}
    assert passed > 50


def test_a_learner_is_the_model_with_a_constant():
    data = frame()
    X = data[["x1", "x2"]]
    found = learner().fit(X, data["y"], sample_weight=data["w"])
    model = ne.NeuralRegression.from_formula(
        "y ~ x1 + x2", data, weights="w", hidden=SMALL["hidden"]
    )
    results = model.fit(alphas=5, n_starts=2, rng=0)
    helpers.assert_close(found.predict(X), results.predict(data), 1e-12)
    assert found.results_.alpha == results.alpha
    assert found.results_.model.exog_names == ["const", "x1", "x2"]


def test_cross_sections_are_not_taken_for_series():
    macro = ne.datasets.load_macro().dropna()
    found = learner(alpha="cv").fit(macro[["infl", "realint"]], macro["unemp"])
    assert found.results_.cv.description == "5 shuffled folds"


def test_rows_of_weight_zero_do_not_count():
    data = frame()
    X, y = data[["x1", "x2"]].to_numpy(), data["y"].to_numpy()
    weights = np.where(np.arange(len(y)) % 4 == 0, 0.0, data["w"])
    used = weights > 0
    firms = data["firm"].to_numpy()
    splits = list(KFold(3).split(X))
    place = np.cumsum(used) - 1
    inner = [tuple(place[part[used[part]]] for part in split) for split in splits]
    for changes, fewer in [({}, {}), ({"cv": iter(splits)}, {"cv": inner})]:
        one = learner(**changes).fit(X, y, sample_weight=weights, groups=firms)
        other = learner(**fewer).fit(
            X[used], y[used], sample_weight=weights[used], groups=firms[used]
        )
        helpers.assert_close(one.predict(X), other.predict(X), 1e-12)
    assert one.results_.cv.description.startswith("3 folds")
    with pytest.raises(ValueError, match="zero"):
        learner().fit(X, y, sample_weight=np.zeros(len(y)))


def test_groups_stay_together_in_folds():
    data = frame()
    X = data[["x1", "x2"]]
    found = learner().fit(X, data["y"], groups=data["firm"])
    assert found.results_.cv.description == "5 folds of whole groups"
    with pytest.raises(ValueError, match="groups has the shape"):
        learner().fit(X, data["y"], groups=[1, 2])


def test_columns_that_say_nothing_new_are_left_out():
    data = frame()
    X = data[["x1", "x2"]].to_numpy()
    twice = np.column_stack([np.full(len(X), 7.0), X, X @ [1.0, -2.0], X[:, 0] ** 2])
    found = learner(alpha=0.01).fit(twice, data["y"])
    assert found.columns_.tolist() == [1, 2, 4]
    plain = learner(alpha=0.01).fit(twice[:, [1, 2, 4]], data["y"])
    helpers.assert_close(found.predict(twice), plain.predict(twice[:, [1, 2, 4]]), 1e-12)
    alone = learner(alpha=0.01, linear_part=False).fit(twice, data["y"])
    assert alone.columns_.tolist() == [1, 2, 3, 4]
    constant = learner().fit(twice[:, :1], data["y"])
    helpers.assert_close(constant.predict(twice[:3, :1]), np.full(3, data["y"].mean()), 1e-12)


def test_more_columns_than_rows_need_a_network_alone():
    g = np.random.default_rng(0)
    X, y = g.standard_normal((30, 60)), g.standard_normal(30)
    with pytest.raises(ValueError, match="linear_part=False"):
        learner().fit(X, y)
    assert np.isfinite(learner(linear_part=False).fit(X, y).predict(X)).all()


def test_learners_are_cloned_and_pickled():
    data = frame()
    X = data[["x1", "x2"]]
    found = learner(random_state=np.random.RandomState(3)).fit(X, data["y"])
    again = pickle.loads(pickle.dumps(found))
    assert np.array_equal(again.predict(X), found.predict(X))
    fresh = clone(found)
    assert not hasattr(fresh, "results_")
    assert fresh.get_params()["hidden"] == (2,)
    assert "NeuralRegressor" in repr(fresh)


def test_seeds_count():
    data = frame(60)
    X = data[["x1", "x2"]]

    def predictions(seed):
        return learner(random_state=seed, hidden=(6,), alpha=1e-4).fit(X, data["y"]).predict(X)

    assert np.array_equal(predictions(1), predictions(1))
    assert not np.array_equal(predictions(1), predictions(2))
    assert not np.array_equal(predictions(None), predictions(None))


def test_weights_are_routed_by_scikit_learns_tools():
    data = frame()
    X, y = data[["x1", "x2"]], data["y"]
    with sklearn.config_context(enable_metadata_routing=True):
        asked = learner(alpha=0.01).set_fit_request(sample_weight=True)
        asked = asked.set_score_request(sample_weight=False)
        routed = cross_validate(
            asked, X, y, cv=KFold(2), params={"sample_weight": data["w"]}, return_estimator=True
        )
    train = next(KFold(2).split(X))[0]
    direct = learner(alpha=0.01).fit(X.iloc[train], y.iloc[train], data["w"].iloc[train])
    helpers.assert_close(routed["estimator"][0].predict(X), direct.predict(X), 1e-12)


def test_scikit_learn_is_imported_when_it_is_needed():
    code = "import nnecon, sys; assert 'sklearn' not in sys.modules; nnecon.learners; "
    code += "assert 'sklearn' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    code = "import sys; sys.modules['sklearn'] = None; import nnecon; nnecon.learners"
    without = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    assert without.returncode == 1
    assert "pip install 'nnecon[learners]'" in without.stderr
    with pytest.raises(AttributeError, match="no attribute 'learner'"):
        _ = ne.learner


# -- partially linear effects -------------------------------------------------------------------


def partialled_out(X, y, d, nuisance, folds=5):
    """Robinson's (1988) estimator with cross-fitting (Chernozhukov et al., 2018) and its error."""
    cv = KFold(folds, shuffle=True, random_state=0)
    v = d - cross_val_predict(nuisance, X, d, cv=cv)
    u = y - cross_val_predict(nuisance, X, y, cv=cv)
    effect = v @ u / (v @ v)
    return effect, np.sqrt((v**2) @ (u - effect * v) ** 2) / (v @ v)


def lasso():
    terms = PolynomialFeatures(2, include_bias=False)
    return make_pipeline(terms, StandardScaler(), LassoCV(cv=5, max_iter=20_000, random_state=0))


def test_an_effect_is_found_behind_a_confounder_that_bends():
    g = np.random.default_rng(1)
    X = g.standard_normal((500, 2))
    bend = np.tanh(2.0 * X[:, 0] - 1.0) + 0.5 * X[:, 1]
    d = 1.5 * bend + g.standard_normal(500)
    y = 0.5 * d + 2.0 * bend + g.standard_normal(500)
    network = learner(hidden=(3,), alphas=8, n_starts=2)
    effect, error = partialled_out(X, y, d, network)
    assert abs(effect - 0.5) < 2.5 * error
    assert 0.03 < error < 0.06
    line, line_error = partialled_out(X, y, d, LinearRegression())
    assert line - 0.5 > 5.0 * line_error


def nuisance():
    """A learner that may bend more than the small one, with penalties fine enough to choose."""
    return learner(hidden=(4,), alphas=12)


def rand():
    """Every tenth person-year of the RAND health insurance experiment."""
    data = sm.datasets.randhie.load_pandas().data.iloc[::10]
    return data, ["idp", "physlm", "disea", "hlthg", "hlthf", "hlthp"]


def test_network_and_lasso_agree_on_insurance_and_visits():
    data, controls = rand()
    X, y, d = (data[name].to_numpy() for name in (controls, "mdvis", "lncoins"))
    network, network_error = partialled_out(X, y, d, nuisance(), folds=3)
    reference, error = partialled_out(X, y, d, lasso(), folds=3)
    assert abs(network - reference) < error
    assert reference < -2.0 * error
    assert 0.8 < network_error / error < 1.25


@pytest.mark.filterwarnings("ignore")
def test_doubleml_takes_the_learner():
    doubleml = pytest.importorskip("doubleml", reason="DoubleML is optional: nnecon[causal]")
    data, controls = rand()
    held = doubleml.DoubleMLData(data, "mdvis", "lncoins", controls)
    splits = [list(KFold(2, shuffle=True, random_state=0).split(data))]
    found = []
    for chosen in (nuisance(), lasso()):
        model = doubleml.DoubleMLPLR(held, chosen, chosen, draw_sample_splitting=False)
        found.append(model.set_sample_splitting(splits).fit())
    assert abs(found[0].coef[0] - found[1].coef[0]) < found[1].se[0]


@pytest.mark.filterwarnings("ignore")
def test_econml_takes_the_learner():
    dml = pytest.importorskip("econml.dml", reason="EconML is optional: nnecon[causal]")
    data, controls = rand()
    estimates = []
    for chosen in (nuisance(), lasso()):
        model = dml.LinearDML(
            model_y=chosen, model_t=chosen, cv=2, random_state=0, fit_cate_intercept=True
        )
        model.fit(data["mdvis"], data["lncoins"], X=None, W=data[controls])
        found = model.intercept__inference()
        estimates.append((float(found.point_estimate), float(found.stderr)))
    assert abs(estimates[0][0] - estimates[1][0]) < estimates[1][1]
