"""Fits on streams against the same models in memory."""

import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import nnecon as ne
from nnecon.data.stream import Stream
from nnecon.estimation.training import SGD, Adam
from nnecon.exceptions import DataError, IdentificationWarning, SpecificationError
from nnecon.models.streamed import StreamedRegression
from nnecon.results.archive import read_archive

FORMULA = "y ~ x * np.log(z) + I(x**2) + g + k"
QUICK = Adam(learning_rate=0.01, epochs=4, batch_size=128)


def sample(n=1500, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "z": rng.uniform(1.0, 2.0, n),
            # level c appears in the last chunk only
            "g": np.where(np.arange(n) < n - 60, rng.choice(["a", "b"], n), "c"),
            "k": rng.integers(0, 5, n),
            "w": rng.uniform(0.5, 2.0, n),
        },
        index=[f"r{i}" for i in range(n)],
    )
    wave = np.sin(2.0 * frame["x"]) + np.log(frame["z"]) * frame["x"]
    frame["y"] = wave + 0.5 * (frame["g"] == "b") + 0.3 * rng.normal(size=n)
    frame.loc[["r5", "r700"], "x"] = np.nan
    return frame


FRAME = sample()


def streamed(chunk_rows=400, formula=FORMULA, **options):
    stream = Stream.of(FRAME, chunk_rows)
    return StreamedRegression.from_formula(formula, stream, **{"hidden": (4,), **options})


@pytest.fixture(scope="module")
def weighted():
    return streamed(weights="w").fit(1e-3, method=QUICK)


def in_memory(results, formula=FORMULA, frame=FRAME, **options):
    own = {"hidden": (4,), **options}
    cov = results.cov_type
    model = ne.NeuralRegression.from_formula(formula, frame, **own)
    return model.results_at(results.params, results.alpha, cov_type=cov)


def assert_same(results, memory):
    for name in ("nobs", "ssr", "rsquared", "rsquared_adj", "llf", "edf", "aic", "bic", "scale"):
        assert getattr(results, name) == pytest.approx(getattr(memory, name), rel=1e-8), name
    np.testing.assert_allclose(results.bse, memory.bse, rtol=1e-6)
    # one pass gives the effects of the penalised estimate
    own, other = results.get_margeff(), memory.get_margeff(debias=False)
    assert list(own.margeff.index) == list(other.margeff.index)
    np.testing.assert_allclose(own.margeff, other.margeff, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(own.margeff_se, other.margeff_se, rtol=1e-6)
    np.testing.assert_allclose(own.baseline, other.baseline, rtol=1e-7, atol=1e-10)
    for name in ("params", "bse", "tvalues", "pvalues"):
        ours, theirs = getattr(results.baseline, name), getattr(memory.baseline, name)
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-12, err_msg=name)
    for name in ("rsquared", "rsquared_adj", "llf", "aic", "bic", "scale", "df_resid", "df_model"):
        theirs = getattr(memory.baseline, name)
        assert getattr(results.baseline, name) == pytest.approx(theirs, rel=1e-9), name


def test_numbers_equal_those_in_memory_with_weights_categories_and_missing_rows(weighted):
    memory = in_memory(weighted, weights="w")
    assert_same(weighted, memory)
    ours, theirs = weighted._tail(), memory._tail()
    assert ours.to_numpy().tolist() == theirs[ours.columns].to_numpy().tolist()
    new = FRAME.dropna().iloc[:7]
    pd.testing.assert_frame_equal(
        weighted.get_prediction(new).summary_frame(), memory.get_prediction(new).summary_frame()
    )


@pytest.mark.parametrize(
    ("formula", "options", "cov_type"),
    [
        ("y ~ 0 + x + z", {}, "HC0"),
        ("y ~ x + z", {"hidden": (3, 2)}, "nonrobust"),
        pytest.param(
            "y ~ 0 + g + x", {"activation": "logistic"}, "nonrobust", marks=pytest.mark.slow
        ),
        pytest.param("y ~ x + z", {"linear_part": False}, "HC0", marks=pytest.mark.slow),
    ],
)
def test_numbers_equal_those_in_memory_for_other_networks(formula, options, cov_type):
    results = streamed(formula=formula, **options).fit(1e-2, method=QUICK, cov_type=cov_type)
    assert_same(results, in_memory(results, formula, **options))


@pytest.mark.slow
def test_a_trained_stream_fits_as_well_as_training_in_memory():
    method = Adam(learning_rate=0.01, epochs=60, batch_size=64, schedule="cosine")
    model = streamed(formula="y ~ x + z + g", hidden=(8,))
    results = model.fit(1e-4, method=method)
    memory = ne.NeuralRegression.from_formula("y ~ x + z + g", FRAME, hidden=(8,))
    best = memory.fit(1e-4, alphas=[1e-4], n_starts=1, method=method)
    assert results.rsquared > results.baseline.rsquared + 0.2
    assert results.rsquared == pytest.approx(best.rsquared, abs=0.02)
    assert len(results.history) == 60 and results.history[-1] < results.history[0]


@pytest.mark.slow
def test_whether_data_are_kept_changes_the_order_of_rows_and_little_else():
    method = Adam(learning_rate=0.01, epochs=40, batch_size=64, schedule="cosine")
    model = streamed(formula="y ~ x + z + g", hidden=(8,))
    kept, read = (model.fit(1e-4, method=method, memory=room) for room in (2**28, 0))
    assert kept.rsquared == pytest.approx(read.rsquared, abs=0.02)
    assert not kept.params.equals(read.params)


def test_chunks_do_not_matter(weighted):
    again = streamed(101, weights="w").results_at(weighted.params, weighted.alpha)
    assert again.ssr == pytest.approx(weighted.ssr, rel=1e-10)
    np.testing.assert_allclose(again.bse, weighted.bse, rtol=1e-7)
    np.testing.assert_allclose(again.average_effects(), weighted.average_effects(), rtol=1e-7)
    np.testing.assert_allclose(again.baseline.params, weighted.baseline.params, rtol=1e-9)
    new = FRAME.dropna()
    pieces = weighted.predict(Stream.of(new, 77))
    pd.testing.assert_series_equal(pieces, weighted.predict(new))
    assert [len(part) for part in weighted.predict_chunks(Stream.of(new, 1000))] == [1000, 498]
    first, second = (
        streamed(rows).fit(method=QUICK, test_share=0.2).estimate.numbers.tested.n_obs
        for rows in (101, 400)
    )
    assert first == second > 200


def test_infinite_penalty_and_no_network_are_least_squares():
    ols = smf.ols(FORMULA, FRAME).fit()
    for results in (streamed().fit(np.inf), streamed(hidden=()).fit()):
        linear = results.params.iloc[: len(ols.params)]
        np.testing.assert_allclose(linear, ols.params, rtol=1e-8, atol=1e-10)
        assert results.rsquared == pytest.approx(ols.rsquared, rel=1e-10)
        assert results.edf == pytest.approx(len(ols.params))
        assert results.converged
    robust = ols.get_robustcov_results("HC1")
    np.testing.assert_allclose(results.bse, robust.bse, rtol=1e-7)
    mean = streamed(hidden=(), linear_part=False).fit()
    assert mean.rsquared == pytest.approx(0.0, abs=1e-12)


def test_rows_set_apart_are_used_by_neither_model():
    results = streamed(formula="y ~ x + z", weights="w").fit(
        method=QUICK, test_share=0.3, blocked=True
    )
    used = FRAME.dropna()
    first = len(used) - round(0.3 * len(used))
    train, test = used.iloc[:first], used.iloc[first:]
    wls = sm.WLS.from_formula("y ~ x + z", train, weights=train["w"]).fit()
    np.testing.assert_allclose(results.baseline.params, wls.params, rtol=1e-9)
    assert results.nobs == first
    tested = results.estimate.numbers.tested
    own, other = ((test["y"] - m.predict(test)) ** 2 for m in (results, wls))
    assert tested.n_obs == len(test)
    assert tested.network == pytest.approx(np.average(own, weights=test["w"]))
    assert tested.baseline == pytest.approx(np.average(other, weights=test["w"]))
    gap = test["w"] * ((own - other) - tested.difference)
    assert tested.error == pytest.approx(np.sqrt((gap**2).sum()) / test["w"].sum())
    comparison = results.compare()
    assert comparison.frame.loc["Test RMSE"].to_numpy() == pytest.approx(
        np.sqrt([tested.network, tested.baseline])
    )
    assert f"{len(test)} rows set apart" in comparison.notes[-1]
    effects = ne.NeuralRegression.from_formula("y ~ x + z", train, weights="w", hidden=(4,))
    theirs = effects.results_at(results.params).get_margeff().margeff
    np.testing.assert_allclose(results.average_effects(), theirs, rtol=1e-7)


def test_summary_says_how_the_estimate_is_to_be_read(weighted):
    text = str(weighted.summary())
    flat = re.sub(r"\s+", " ", text)
    assert "NO (mini-batches)" in flat and "do not contain the difference" in flat
    assert "All rows were estimated on" in flat
    assert "np.log(z)" in text and "WLS" in text and "4 tanh + linear part" in text
    poor = streamed(linear_part=True).fit(method=SGD(learning_rate=1e-8, epochs=1))
    assert "OLS alone fits these rows better" in re.sub(r"\s+", " ", str(poor.summary()))
    early = streamed().fit(1e-3, method=Adam(epochs=2, early_stopping=True))
    assert "upper bounds" in re.sub(r"\s+", " ", str(early.summary()))


def test_starts_compete():
    one = streamed().fit(1e-3, method=QUICK)
    best = streamed().fit(1e-3, method=QUICK, n_starts=3)
    assert best.solution.objective < one.solution.objective
    assert best.estimate.search == "3 starts, rng=0"


def test_the_users_function_is_estimated():
    def line(params, x):
        return params[0] + params[1] * x[0]

    model = StreamedRegression.from_formula(
        "y ~ 0 + x", Stream.of(FRAME, 400), network=line, start_params={"a": 0.0, "b": 0.0}
    )
    results = model.fit(method=Adam(learning_rate=0.01, epochs=60, schedule="cosine"))
    ols = smf.ols("y ~ x", FRAME).fit()
    np.testing.assert_allclose(results.params, ols.params, atol=0.01)
    assert list(results.params.index) == ["a", "b"]
    with pytest.raises(SpecificationError, match="without penalty"):
        model.fit(0.1)


def test_large_networks_have_fit_and_effects_but_no_errors():
    results = streamed(formula="y ~ x + z", hidden=(600,)).fit(
        method=Adam(epochs=1, batch_size=512), test_share=0.2
    )
    assert results.model.network.n_params > 2000
    with pytest.raises(SpecificationError, match="average_effects"):
        _ = results.bse
    assert list(results.average_effects().index) == ["x", "z"]
    assert "too many parameters" in str(results.summary())
    assert list(results.compare().frame.index)[-1] == "Test RMSE"


def test_saved_results_read_their_data_again(tmp_path, weighted):
    weighted.save(tmp_path / "fit.nnecon")
    meta, arrays = read_archive(tmp_path / "fit.nnecon")
    json.dumps(meta)
    options = {"hidden": (4,)}
    again = StreamedRegression.load(meta, arrays, options, Stream.of(FRAME, 222))
    pd.testing.assert_series_equal(again.params, weighted.params)
    np.testing.assert_allclose(again.bse, weighted.bse, rtol=1e-8)
    assert again.estimate.search == weighted.estimate.search
    with pytest.raises(DataError, match="data="):
        StreamedRegression.load(meta, arrays, options)
    with pytest.raises(DataError, match="complete rows"):
        StreamedRegression.load(meta, arrays, options, FRAME.iloc[:-5])
    other = FRAME.assign(y=FRAME["y"] * 2 + 1 * FRAME["x"])
    with pytest.raises(SpecificationError, match="does not fit its data"):
        StreamedRegression.load(meta, arrays, options, other)


def test_a_saved_formula_runs_no_code(tmp_path, weighted):
    weighted.save(tmp_path / "fit.nnecon")
    meta, arrays = read_archive(tmp_path / "fit.nnecon")
    meta["model"]["design"]["formula"] = "y ~ open('x')"
    with pytest.raises((SpecificationError, ne.exceptions.FormulaError)):
        StreamedRegression.load(meta, arrays, {"hidden": (4,)}, FRAME)


def test_another_covariance_keeps_the_estimate(weighted):
    plain = weighted.with_cov("nonrobust")
    pd.testing.assert_series_equal(plain.params, weighted.params)
    memory = in_memory(plain, weights="w")
    np.testing.assert_allclose(plain.bse, memory.bse, rtol=1e-6)
    np.testing.assert_allclose(plain.baseline.bse, memory.baseline.bse, rtol=1e-7)
    with pytest.raises(SpecificationError, match="HAC"):
        weighted.with_cov("HAC")


@pytest.mark.parametrize("name", ["resid", "fittedvalues", "path", "cv"])
def test_what_is_not_kept_says_what_to_do(weighted, name):
    with pytest.raises(SpecificationError, match=r"results_at|test_share"):
        getattr(weighted, name)


@pytest.mark.parametrize("name", ["plot_fit", "plot_residuals", "predict", "wald_test_terms"])
def test_methods_on_all_rows_say_what_to_do(weighted, name):
    with pytest.raises(SpecificationError, match="results_at"):
        getattr(weighted, name)()
    for ask in (
        lambda: weighted.effect_curve("x"),
        lambda: weighted.effect_surface("x", "z"),
        lambda: weighted.interaction_strength(),
        lambda: weighted.shapley(),
        lambda: weighted.variable_importance(),
        lambda: weighted.get_margeff("mean"),
        lambda: weighted.get_margeff(method="eyex"),
        lambda: weighted.get_margeff(dummy=True),
        lambda: weighted.get_margeff(debias=True),
    ):
        with pytest.raises(SpecificationError, match="results_at"):
            ask()
    with pytest.raises(SpecificationError, match="weighted_blocks"):
        _ = weighted.model.endog


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": "cv"}, "pass a number"),
        ({"alpha": -1.0}, "from 0 to inf"),
        ({"method": "lm"}, "mini-batches"),
        ({"n_starts": 0}, "n_starts"),
        ({"test_share": 1.0}, "test_share"),
        ({"blocked": 1}, "blocked"),
        ({"memory": -1}, "memory"),
        ({"rng": "a"}, "rng"),
        ({"cov_type": "cluster"}, "cluster"),
    ],
)
def test_arguments_are_checked(weighted, arguments, message):
    with pytest.raises(SpecificationError, match=message):
        weighted.model.fit(**arguments)


def test_data_are_checked():
    with pytest.raises(SpecificationError, match="did you mean 'hidden'"):
        streamed(hiden=(3,))
    with pytest.raises(DataError, match="linear combination"):
        streamed(formula="y ~ x + I(2 * x)").fit()
    with pytest.raises(DataError, match="does not vary"):
        streamed(formula="I(0 * z) ~ x").fit()


def test_dead_units_are_said_to_be_unidentified():
    model = streamed(formula="y ~ x", hidden=(2,), activation="relu")
    params = np.array([0.1, 0.5, 1.0, 1.0, -99.0, 0.2, 1.0, 1.0])
    with pytest.warns(IdentificationWarning, match="not identified"):
        assert np.isfinite(model.results_at(params).get_margeff().margeff_se).all()


MEMORY = """
import resource, sys
from nnecon.data.stream import Stream
from nnecon.estimation.training import Adam
from nnecon.models.streamed import StreamedRegression

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def fit(path):
    formula = "y ~ " + " + ".join(f"x{j}" for j in range(20))
    model = StreamedRegression.from_parquet(path, formula, hidden=(64,), activation="relu")
    results = model.fit(method=Adam(epochs=2, batch_size=1024), memory=int(sys.argv[3]))
    results.average_effects()
    return results

# libraries and compiled functions are no data
fit(sys.argv[1])
before = peak()
results = fit(sys.argv[2])
print(peak() - before, results.nobs, results.rsquared - results.baseline.rsquared)
"""


def write_rows(path, n):
    from pyarrow import Table, parquet

    rng = np.random.default_rng(0)
    writer = None
    for _ in range(n // 50_000):
        x = rng.normal(size=(50_000, 20))
        y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.3 * rng.normal(size=50_000)
        part = Table.from_pydict({**{f"x{j}": x[:, j] for j in range(20)}, "y": y})
        writer = writer or parquet.ParquetWriter(path, part.schema)
        writer.write_table(part)
    writer.close()


@pytest.mark.slow
@pytest.mark.parametrize(("memory", "shares"), [(0, 0.5), (2**28, 1.0)])
def test_a_million_rows_need_little_more_memory_than_a_tenth_of_them(tmp_path, memory, shares):
    write_rows(tmp_path / "small.parquet", 100_000)
    write_rows(tmp_path / "large.parquet", 1_000_000)
    files = [str(tmp_path / f"{size}.parquet") for size in ("small", "large")]
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, *files, str(memory)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    more, nobs, gain = map(float, done.stdout.split())
    data = 1_000_000 * 21 * 8 / 2**20
    assert nobs == 1_000_000 and gain > 0.3
    assert more < shares * data
