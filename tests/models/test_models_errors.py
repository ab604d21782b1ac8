"""Arguments that make no sense: the message says what is wrong and what to do."""

import jax.numpy as jnp
import numpy as np
import pytest

import nnecon as ne
from nnecon.exceptions import DataError, SpecificationError


def model(frame, formula="y ~ x1 + x2", **specification):
    return ne.NeuralRegression.from_formula(formula, frame, **specification)


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ({"hidden": (0,)}, "units of each hidden layer"),
        ({"hidden": (4, -1)}, r"hidden=\(4, -1\)"),
        ({"hidden": 2.5}, "hidden=2.5"),
        ({"hidden": (2.0,)}, "whole numbers"),
        ({"hidden": (True,)}, "whole numbers"),
        ({"hidden": "8"}, "hidden='8'"),
        ({"hidden": None}, "hidden=None"),
        ({"activation": "sigmoid"}, "activation='sigmoid' is not known.*'logistic'"),
        ({"activation": None}, "activation=None"),
        ({"start_params": [1.0]}, "start_params are for network="),
        ({"network": "tanh"}, "network is a function"),
        ({"network": lambda b, x: b[0]}, "needs start_params"),
        ({"network": lambda b, x: b[0], "start_params": []}, "one finite number"),
        ({"network": lambda b, x: b[0], "start_params": [np.nan]}, "one finite number"),
        ({"network": lambda b, x: b[0], "start_params": [[1.0]]}, "one finite number"),
        ({"network": lambda b, x: b[0], "start_params": ["a"]}, "one finite number"),
        ({"network": lambda b, x: b * x[0], "start_params": [1.0, 2.0]}, "returned shape"),
        ({"network": lambda b, x: np.exp(b[0]), "start_params": [1.0]}, "jnp.exp"),
        (
            {"network": lambda b, x: b[0], "start_params": [1.0], "linear_part": True},
            "model of its own",
        ),
    ],
)
def test_specifications(curved_frame, specification, message):
    with pytest.raises(SpecificationError, match=message):
        model(curved_frame, **specification)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -1.0}, "alpha=-1.0"),
        ({"alpha": np.nan}, "alpha=nan"),
        ({"alpha": "aic"}, "alpha='aic'.*'1se'"),
        ({"alpha": True}, "alpha=True"),
        ({"alpha": None}, "alpha=None"),
        ({"alpha": [0.1, 0.2]}, "alpha="),
        ({"alpha": np.array([0.1, 0.2])}, "alpha="),
        ({"alphas": 0}, "alphas=0"),
        ({"alphas": -3}, "alphas=-3"),
        ({"alphas": True}, "alphas=True"),
        ({"alphas": [0.1, -0.1]}, "all positive"),
        ({"alphas": [0.1, np.nan]}, "all positive"),
        ({"alphas": []}, "alphas="),
        ({"alphas": "many"}, "alphas='many'"),
        ({"alphas": 2.5}, "alphas=2.5"),
        ({"alphas": [[0.1, 0.2]]}, "alphas="),
        ({"n_starts": 0}, "n_starts=0"),
        ({"n_starts": 2.0}, "n_starts=2.0"),
        ({"n_starts": True}, "n_starts=True"),
        ({"method": "newton"}, "method='newton'"),
        ({"cv": 1}, "at least 2"),
        ({"cv": "five"}, "cv='five'"),
        ({"cov_type": "HC9"}, "cov_type='HC9'"),
        ({"cov_type": "HC1", "cov_kwds": {"maxlags": 2}}, "takes no options"),
        ({"cov_type": "HAC", "cov_kwds": {"lags": 2}}, "lags"),
        ({"cov_type": "HAC", "cov_kwds": {"maxlags": -2}}, "maxlags=-2"),
        ({"cov_type": "HAC", "cov_kwds": {"kernel": "qs"}}, "kernel='qs'"),
        ({"cov_type": "cluster"}, "groups"),
        ({"rng": "zero"}, "rng='zero'"),
        ({"rng": -1}, "rng=-1"),
    ],
)
@pytest.mark.parametrize("hidden", [(), (2,)], ids=str)
def test_options_of_fit(curved_frame, options, message, hidden):
    with pytest.raises(SpecificationError, match=message):
        model(curved_frame, hidden=hidden).fit(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cov_kwds": {"groups": "firma"}, "cov_type": "cluster"}, "unknown column 'firma'"),
        ({"cov_kwds": {"groups": np.arange(3)}, "cov_type": "cluster"}, "groups"),
        ({"groups": np.arange(3)}, "groups"),
        ({"groups": "firma"}, "'firm'"),
    ],
)
def test_groups(curved_frame, options, message):
    with pytest.raises(DataError, match=message):
        model(curved_frame, hidden=()).fit(**options)


@pytest.mark.parametrize(
    ("bad", "message"),
    [(0.0, "row 7 has 0"), (-2.0, "row 7 has -2"), (np.nan, "7"), (np.inf, "7")],
)
def test_weights(curved_frame, bad, message):
    frame = curved_frame.copy()
    frame.loc[7, "w"] = bad
    with pytest.raises(DataError, match=message):
        model(frame, weights="w")
    with pytest.raises(DataError, match="weights"):
        model(frame, weights=[1.0, 2.0])


def test_the_first_bad_weight_is_named(curved_frame):
    frame = curved_frame.assign(w=1.0)
    frame.loc[[3, 9], "w"] = [-1.0, -5.0]
    with pytest.raises(DataError, match="row 3 has -1"):
        model(frame, weights="w")


def test_with_cov_checks_at_once(curved_results):
    for kind, options in [("HC7", {}), ("HC1", {"maxlags": 1}), ("HAC", {"kernel": "qs"})]:
        with pytest.raises(SpecificationError):
            curved_results.with_cov(kind, **options).bse  # noqa: B018
    with pytest.raises(DataError, match="unknown column 'firma'"):
        curved_results.with_cov("cluster", groups="firma")


def test_results_at(curved_results):
    of = curved_results.model.results_at
    for params in ([1.0], np.full(len(curved_results.params), np.nan)):
        with pytest.raises(SpecificationError, match="finite numbers"):
            of(params)
    with pytest.raises(SpecificationError, match="has no path"):
        of(curved_results.params).path  # noqa: B018


def decay(b, x):
    return b[0] + b[1] * jnp.exp(-b[2] * x[1])


def test_own_functions_take_no_penalty(curved_frame):
    own = model(curved_frame, network=decay, start_params={"level": 1.0, "size": 1.0, "rate": 0.1})
    for options in ({"alpha": 0.1}, {"alpha": "1se"}, {"cv": 5}):
        with pytest.raises(SpecificationError, match="without penalty and folds"):
            own.fit(**options)
    fit = own.fit(alpha=0.0)
    assert list(fit.params.index) == ["level", "size", "rate"]
    assert fit.alpha == 0.0


@pytest.mark.parametrize("x", ["x3", "region", "C(region)[T.South]"])
def test_effect_curve_of_something_else(curved_results, x):
    if x == "region":
        assert len(curved_results.effect_curve(x).frame) == 3
        return
    with pytest.raises(SpecificationError, match="no regressor of the model"):
        curved_results.effect_curve(x)


def test_options_that_would_be_ignored(curved_frame):
    def function(params, x):
        return params[0] + params[1] * x[1]

    given = {"network": function, "start_params": [0.0, 1.0]}
    with pytest.raises(SpecificationError, match="leave one or the other out"):
        ne.NeuralRegression.from_formula("y ~ x1", curved_frame, hidden=(4,), **given)
    linear = ne.NeuralRegression.from_formula("y ~ x1", curved_frame, hidden=())
    with pytest.raises(SpecificationError, match="use_t='yes'"):
        linear.fit(use_t="yes")


def test_a_mean_alone_has_a_summary_without_effects(curved_frame):
    text = str(ne.NeuralRegression.from_formula("y ~ 1", curved_frame).fit().summary())
    assert "Average partial effects" not in text and "Intercept" in text
