"""The report of every kind of fit, and what results refuse."""

import jax.numpy as jnp
import numpy as np
import pytest

import nnecon as ne
from nnecon.exceptions import DataError, SpecificationError


def wave(params, x):
    return params[0] + params[1] * jnp.sin(params[2] * x[1])


FITS = {
    "given penalty": ({"hidden": (2,)}, {"alpha": 0.01, "alphas": 4, "n_starts": 2}),
    "linear": ({"hidden": ()}, {}),
    "linear, scored": ({"hidden": ()}, {"cv": 3}),
    "infinite penalty": ({"hidden": (2,)}, {"alpha": np.inf}),
    "own function": ({"network": wave, "start_params": [0.0, 1.0, 1.0]}, {}),
}


@pytest.mark.parametrize("kind", FITS)
def test_every_fit_has_a_report(kind, curved_frame, tmp_path):
    specification, options = FITS[kind]
    model = ne.NeuralRegression.from_formula("y ~ x1 + x2", curved_frame, **specification)
    page = model.fit(**options).report(tmp_path / "out")[0].read_text()
    assert "Findings" in page
    assert "nan" not in page.split("</style>")[1].lower().replace("nance", "")


def test_report_from_arrays(curved_frame, tmp_path):
    exog = np.column_stack([np.ones(len(curved_frame)), curved_frame["x1"]])
    fit = ne.NeuralRegression(curved_frame["y"], exog, hidden=()).fit()
    assert fit.report(tmp_path)[0].is_file()


@pytest.mark.parametrize("alpha", [95, 5, 0, 1, -0.1, np.nan, "x"])
def test_levels_are_checked(alpha, curved_frame):
    fit = ne.NeuralRegression.from_formula("y ~ x1", curved_frame, hidden=()).fit()
    for ask in (
        fit.conf_int,
        fit.summary,
        fit.get_prediction().summary_frame,
        fit.get_margeff().conf_int,
        lambda alpha: fit.effect_curve("x1", alpha=alpha),
    ):
        with pytest.raises(SpecificationError, match="between 0 and 1"):
            ask(alpha=alpha)


def test_an_exact_linear_relation_is_linear(curved_frame):
    exact = curved_frame.assign(k=2.0 * curved_frame["x1"] + 1.0)
    fit = ne.NeuralRegression.from_formula("k ~ x1", exact, hidden=(2,)).fit(n_starts=2, alphas=4)
    assert fit.alpha == np.inf
    assert fit.edf == pytest.approx(2.0)


def test_loading_with_another_function_is_refused(curved_frame, tmp_path):
    def bend(x):
        return x**2

    path = tmp_path / "fit.nnecon"
    model = ne.NeuralRegression.from_formula("y ~ bend(x1) + x2", curved_frame, hidden=())
    fit = model.fit()
    fit.save(path)
    same = ne.load(path, functions={"bend": bend})
    np.testing.assert_array_equal(same.fittedvalues, fit.fittedvalues)
    with pytest.raises(SpecificationError, match="are these the functions"):
        ne.load(path, functions={"bend": np.sin})


def test_files_that_cannot_be_read_or_written(curved_frame, tmp_path):
    fit = ne.NeuralRegression.from_formula("y ~ x1", curved_frame, hidden=()).fit()
    with pytest.raises(DataError, match="no folder"):
        fit.save(tmp_path / "nowhere" / "fit.nnecon")
    for path in (tmp_path / "nothing", tmp_path, 5):
        with pytest.raises(DataError, match="there is no file"):
            ne.load(path)
    (tmp_path / "text").write_text("not a zip file")
    with pytest.raises(DataError, match="not a result saved by nnecon"):
        ne.load(tmp_path / "text")


@pytest.mark.parametrize(
    ("name", "words"),
    [("hiden", "did you mean 'hidden'"), ("groups", r"belongs to fit\(\)"), ("foo", "no argument")],
)
def test_unknown_arguments(name, words, curved_frame):
    with pytest.raises(SpecificationError, match=words):
        ne.NeuralRegression.from_formula("y ~ x1", curved_frame, **{name: 1})


def test_maketables_protocol(curved_results):
    table = curved_results.__maketables_coef_table__
    assert list(table.columns) == ["b", "se", "t", "p"]
    assert table["b"].equals(curved_results.get_margeff().margeff.rename("b"))
    assert curved_results.__maketables_stat__("N") == 160
    assert curved_results.__maketables_stat__("r2") == curved_results.rsquared
    assert curved_results.__maketables_stat__("unheard of") is None
    assert curved_results.__maketables_depvar__ == "y"
    assert curved_results.__maketables_vcov_info__["vcov_type"] == "HC1"


def test_the_report_names_the_classical_model(macro_results, tmp_path):
    assert macro_results.is_classical
    page = macro_results.report(tmp_path)[0].read_text()
    assert "The estimate is OLS, exactly." in page
