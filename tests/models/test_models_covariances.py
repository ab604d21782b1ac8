"""Every kind of covariance with every option equals statsmodels' in the classical limit."""

import warnings

import helpers
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from arch.covariance.kernel import Parzen, QuadraticSpectral
from scipy import stats

import nnecon as ne
from nnecon.exceptions import DataError, IdentificationWarning, SpecificationError
from nnecon.inference.contrasts import quadratic
from nnecon.inference.meat import clustered


def macro():
    """A time series: quarters."""
    data = helpers.macro()
    lags = {f"lag_{name}": data[name].shift(1) for name in ("growth", "infl", "unemp")}
    return data.assign(**lags, half=(data.index.year // 10).astype(int)).dropna()


def statecrime():
    """A cross section: American states."""
    data = sm.datasets.statecrime.load_pandas().data.reset_index(drop=True)
    weights = 0.5 + np.abs(np.cos(np.arange(len(data))))
    return data.assign(survey_weight=weights, region=np.arange(len(data)) % 7, size=data.index // 3)


def grunfeld():
    """A panel: eleven firms over twenty years, one below the other."""
    data = sm.datasets.grunfeld.load_pandas().data
    codes = {"firm": data["firm"].astype("category").cat.codes.astype(int)}
    weights = 0.5 + np.abs(np.sin(np.arange(len(data))))
    return data.assign(**codes, year=data["year"].astype(int), survey_weight=weights)


CASES = {
    "macro": ("growth ~ lag_growth + lag_infl + C(quarter_number)", macro, "year", "half", None),
    "statecrime": ("murder ~ poverty + single + hs_grad", statecrime, "region", "size", None),
    "grunfeld": ("invest ~ value + capital", grunfeld, "firm", "year", "year"),
}
PAIRS = [(name, weights) for name in CASES for weights in (None, "survey_weight")]


@pytest.fixture(scope="module", params=PAIRS, ids=str)
def pair(request):
    name, weights = request.param
    formula, load, first, second, time = CASES[name]
    frame = load()
    ours = ne.NeuralRegression.from_formula(formula, frame, hidden=(2,), weights=weights)
    theirs = smf.ols(formula, frame)
    if weights is not None:
        theirs = smf.wls(formula, frame, weights=frame[weights])
    groups = frame[first].to_numpy(), frame[second].to_numpy()
    periods = None if time is None else frame[time].to_numpy()
    return ours.fit(alpha=np.inf, cov_type="nonrobust"), theirs, groups, periods


def kinds(groups, periods):
    """Kind, our options, and statsmodels' where they differ."""
    first, second = groups
    yield "nonrobust", {}, {}
    for kind in ("HC0", "HC1", "HC2", "HC3"):
        yield kind, {}, {}
    for use_correction in (True, False):
        for maxlags in (0, 2, 7):
            options = {"maxlags": maxlags, "use_correction": use_correction}
            yield "HAC", options, {}
        yield "HAC", {"maxlags": 1, "kernel": "uniform", "use_correction": use_correction}, {}
        for df_correction in (True, False):
            options = {"use_correction": use_correction, "df_correction": df_correction}
            yield "cluster", {"groups": first, **options}, {}
            both = np.column_stack([first, second])
            yield "cluster", {"groups": both, **options}, {}
            yield "cluster-crv3", {"groups": first, **options}, {}
    if periods is None:
        return
    for use_correction in ("hac", "cluster", False):
        for df_correction in (True, False):
            shared = {"use_correction": use_correction, "df_correction": df_correction}
            yield "hac-panel", {"groups": first, "maxlags": 2, **shared}, {}
            yield "hac-panel", {"time": periods, "maxlags": 3, **shared}, {}
            both = {"groups": first, "time": periods}
            yield "hac-panel", {**both, "maxlags": 0, "kernel": "uniform", **shared}, {}
            coded = {"time": periods - periods.min()}
            yield "hac-groupsum", {"time": periods, "maxlags": 2, **shared}, coded
            options = {"time": periods, "maxlags": 1, "kernel": "uniform", **shared}
            yield "hac-groupsum", options, coded


def close(actual, expected, rtol=1e-8):
    np.testing.assert_allclose(
        np.asarray(actual, float), np.asarray(expected, float), rtol=rtol, atol=1e-200
    )


# six decades of quarters are fewer than the parameters
@pytest.mark.filterwarnings(
    "ignore:.*from sums over groups:nnecon.exceptions.IdentificationWarning"
)
def test_every_kind_equals_statsmodels(pair):
    fit, theirs, groups, periods = pair
    names = list(fit.model.exog_names)
    slope = names[-1]
    null = f"{slope} = 0.1, {names[-2]} = 2 * {slope}"
    for number, (kind, options, other) in enumerate(kinds(groups, periods)):
        use_t = (None, True)[number % 2]
        expected = theirs.fit(cov_type=kind, cov_kwds={**options, **other} or None, use_t=use_t)
        actual = fit.with_cov(kind, use_t=use_t, **options)
        assert actual.use_t == expected.use_t
        covariance = actual.cov_params().loc[names, names]
        scale = np.sqrt(np.outer(expected.bse, expected.bse))
        assert np.abs((covariance - expected.cov_params()) / scale).max().max() < 1e-8, kind
        close(actual.bse[names], expected.bse)
        close(actual.pvalues[names], expected.pvalues, 1e-6)
        width = (expected.conf_int()[1] - expected.conf_int()[0]).to_numpy()[:, None]
        gap = actual.conf_int().loc[names].to_numpy() - expected.conf_int().to_numpy()
        assert np.abs(gap / width).max() < 1e-8
        same_test(actual.t_test(null), expected.t_test(null))
        same_test(actual.wald_test(null), expected.wald_test(null, scalar=True))
        same_test(actual.f_test(null), expected.f_test(null))
        found = actual.wald_test_terms().table.astype(float)
        table = expected.wald_test_terms(scalar=True).table.astype(float)
        assert list(found.index) == list(table.index)
        assert list(found.columns) == list(table.columns)
        close(found.drop(columns="pvalue"), table.drop(columns="pvalue"))
        close(found["pvalue"], table["pvalue"], 1e-6)


def same_test(actual, expected):
    assert type(actual) is type(expected)
    assert actual.distribution == expected.distribution
    close(actual.statistic, expected.statistic)
    close(actual.pvalue, expected.pvalue, 1e-6)
    if expected.effect is not None:
        close(actual.effect, expected.effect)
        close(actual.sd, expected.sd)
        close(actual.conf_int(), expected.conf_int(), 1e-7)
        close(actual.summary_frame(), expected.summary_frame(), 1e-6)


@pytest.mark.parametrize("kernel", ["parzen", "quadratic-spectral"])
def test_other_kernels_equal_a_loop_over_the_weights_of_arch(kernel):
    formula, load, *_ = CASES["macro"]
    frame = load()
    ours = ne.NeuralRegression.from_formula(formula, frame, hidden=())
    actual = ours.fit(cov_type="HAC", cov_kwds={"maxlags": 5, "kernel": kernel})
    # arch divides the lag by the bandwidth and, but for the quadratic-spectral kernel, one
    width, theirs = (5, Parzen) if kernel == "parzen" else (6, QuadraticSpectral)
    weights = theirs(np.zeros((len(frame), 1)), bandwidth=width).kernel_weights
    expected = smf.ols(formula, frame).fit(
        cov_type="HAC", cov_kwds={"maxlags": len(weights) - 1, "kernel": lambda lags: weights}
    )
    close(actual.bse, expected.bse)
    # the classical model beside the network has the same errors
    close(actual.baseline.bse, expected.bse)
    close(actual.baseline.pvalues, expected.pvalues, 1e-7)


@pytest.mark.parametrize(
    "kind, options",
    [
        ("HAC", {"maxlags": "andrews"}),
        ("HAC", {"maxlags": "newey-west", "kernel": "quadratic-spectral"}),
        ("opg", {}),
        ("cluster-crv3", {"groups": "year"}),
        ("cluster", {"groups": ["year", "quarter_number"]}),
        ("bootstrap", {"draws": 20, "rng": 4}),
        ("bootstrap", {"kind": "wild", "draws": 20, "groups": "year"}),
    ],
)
def test_the_classical_model_has_the_same_covariance(kind, options, tmp_path):
    formula, load, *_ = CASES["macro"]
    ours = ne.NeuralRegression.from_formula(formula, load(), hidden=(), weights="survey_weight")
    fit = ours.fit(cov_type=kind, cov_kwds=options)
    if np.ndim(fit.cov_spec.options.get("groups")) == 2:
        with pytest.warns(IdentificationWarning, match="3 of 6 directions are left without any"):
            fit.bse  # noqa: B018
    close(fit.bse, fit.baseline.bse, 1e-7)
    close(fit.pvalues, fit.baseline.pvalues, 1e-5)
    fit.save(tmp_path / "fit.nnecon")
    read = ne.load(tmp_path / "fit.nnecon")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IdentificationWarning)
        close(read.bse, fit.bse)


def test_another_covariance_is_the_classical_model_s_too(tmp_path):
    formula, load, *_ = CASES["macro"]
    frame = load()
    model = ne.NeuralRegression.from_formula(formula, frame, hidden=(2,))
    fit = model.fit(alpha=0.05, n_starts=2, cov_type="cluster", cov_kwds={"groups": "year"})
    for kind, options in [
        ("nonrobust", {}),
        ("HC3", {}),
        ("HAC", {"maxlags": 3}),
        ("cluster", {"groups": "year"}),
    ]:
        other = fit.with_cov(kind, **options)
        given = {**options, **({"groups": frame["year"]} if "groups" in options else {})}
        expected = smf.ols(formula, frame).fit(cov_type=kind, cov_kwds=given or None)
        close(other.baseline.bse, expected.bse)
        assert other.baseline.cov_type == kind
        assert other.baseline.use_t == expected.use_t
        close(other.get_margeff().baseline["se"]["lag_growth"], expected.bse["lag_growth"])
    other.save(tmp_path / "fit.nnecon")
    close(ne.load(tmp_path / "fit.nnecon").baseline.bse, other.baseline.bse)
    # what it was made from keeps its own
    assert fit.baseline.cov_type == "cluster"
    drawn = fit.with_cov("bootstrap", kind="wild", draws=40)
    assert drawn.baseline.cov_type == "bootstrap"
    close(drawn.get_margeff().baseline["se"]["lag_growth"], drawn.baseline.bse["lag_growth"])
    assert (drawn.baseline.bse / fit.baseline.bse - 1.0).abs().max() < 0.5


def test_rows_that_a_covariance_cannot_take_are_named_before_it_is_read():
    formula, load, *_ = CASES["grunfeld"]
    frame = load().set_index(pd.Index([f"row {number}" for number in range(220)]))
    fit = ne.NeuralRegression.from_formula(formula, frame, hidden=()).fit()
    twice = frame["year"].where(frame.index != "row 7", frame["year"].iloc[3])
    with pytest.raises(SpecificationError, match="the rows 'row 3' and 'row 7' have"):
        fit.with_cov("hac-panel", groups="firm", time=twice)
    with pytest.raises(SpecificationError, match="the rows 'row 3' and 'row 7' have"):
        fit.model.fit(cov_type="hac-panel", cov_kwds={"groups": "firm", "time": twice})
    firms = ne.NeuralRegression.from_formula("invest ~ value + C(firm)", frame, hidden=(2,))
    with pytest.raises(SpecificationError, match="the row 'row 200' is in a group of 20 rows"):
        firms.fit(alpha=0.1, cov_type="cluster-crv3", groups="firm")
    one = frame.assign(alone=(frame.index == "row 11").astype(float))
    alone = ne.NeuralRegression.from_formula("invest ~ value + alone", one, hidden=()).fit()
    for kind in ("HC2", "HC3"):
        with pytest.raises(SpecificationError, match="the row 'row 11' has leverage one"):
            alone.with_cov(kind)
    assert np.isfinite(alone.with_cov("HC1").bse).all()


def test_order_of_rows_does_not_matter_where_groups_and_time_are_given():
    formula, load, *_ = CASES["grunfeld"]
    frame = load()
    shuffled = frame.sample(frac=1.0, random_state=0)
    for kind, options in [
        ("hac-panel", {"groups": "firm", "time": "year", "maxlags": 2}),
        ("hac-groupsum", {"time": "year", "maxlags": 2}),
        ("cluster", {"groups": ["firm", "year"]}),
    ]:
        fits = [
            ne.NeuralRegression.from_formula(formula, rows, hidden=()).fit(
                cov_type=kind, cov_kwds=options
            )
            for rows in (frame, shuffled)
        ]
        close(fits[0].bse, fits[1].bse)
        close(fits[1].baseline.bse, fits[0].bse)
        assert fits[0].covariance.df_resid == fits[1].covariance.df_resid == 10.0


def test_labels_may_be_columns_frames_lists_and_periods():
    formula, load, *_ = CASES["grunfeld"]
    frame = load()
    frame["period"] = pd.PeriodIndex(frame["year"].astype(str), freq="Y")
    frame["name"] = "firm " + frame["firm"].astype(str)
    fit = ne.NeuralRegression.from_formula(formula, frame, hidden=()).fit()
    two = [
        ["name", "period"],
        frame[["firm", "year"]],
        [frame["firm"], frame["year"].to_numpy()],
        frame[["firm", "year"]].to_numpy(),
    ]
    errors = [fit.with_cov("cluster", groups=labels).bse for labels in two]
    for other in errors[1:]:
        close(other, errors[0])
    panels = [fit.with_cov("hac-panel", groups=g, maxlags=1).bse for g in ("name", frame["firm"])]
    close(*panels)
    close(
        fit.with_cov("hac-groupsum", time="period", maxlags=1).bse,
        fit.with_cov("hac-groupsum", time="year", maxlags=1).bse,
    )
    with pytest.raises(DataError, match="groups has 2 values, but the data have 220 rows"):
        fit.with_cov("cluster", groups=[1, 2])
    with pytest.raises(DataError, match="unknown column 'quarter'"):
        fit.with_cov("hac-groupsum", time="quarter")


def test_an_indefinite_two_way_covariance_is_repaired_and_says_so():
    frame = statecrime()
    groups = np.column_stack([frame["region"], np.arange(len(frame)) // 6])
    options = {"groups": groups, "use_correction": False}
    formula = CASES["statecrime"][0]
    model = ne.NeuralRegression.from_formula(
        formula, frame, hidden=(), weights=frame["survey_weight"]
    )
    fit = model.fit(cov_type="cluster", cov_kwds=options)
    with pytest.warns(IdentificationWarning, match="1 of 4 directions are left without any"):
        description = fit.cov_kwds["description"]
    assert "negative eigenvalues were set to zero" in description
    theirs = smf.wls(formula, frame, weights=frame["survey_weight"])
    expected = theirs.fit(cov_type="cluster", cov_kwds=options)
    eigenvalues = np.linalg.eigvalsh(expected.cov_params())
    assert eigenvalues[0] < 0
    more = fit.cov_params() - expected.cov_params()
    assert np.linalg.eigvalsh(more)[0] > -1e-10 * eigenvalues[-1]
    assert (fit.bse >= expected.bse).all() and (fit.bse > expected.bse).any()
    np.testing.assert_allclose(fit.bse, expected.bse, rtol=0.03)


def test_negative_variances_of_the_uniform_kernel_are_refused():
    """An error that changes its sign every period has negative autocovariances."""
    signs = np.where(np.arange(40) % 2, 1.0, -1.0)
    noise = 0.1 * np.random.default_rng(0).standard_normal(40)
    model = ne.NeuralRegression(signs + noise, np.ones((40, 1)), hidden=())
    fit = model.fit(cov_type="HAC", cov_kwds={"maxlags": 1, "kernel": "uniform"})
    with pytest.raises(SpecificationError, match=r"a variance is negative.*bartlett"):
        fit.bse  # noqa: B018
    with pytest.raises(SpecificationError, match=r"a variance is negative"):
        fit.t_test("const = 0")
    assert fit.with_cov("HAC", maxlags=1).bse.iloc[0] > 0


def test_joint_tests_of_an_indefinite_covariance_use_the_sum_of_the_ways():
    """The repaired matrix gave 4,827 for the firms, and 106,426 beside a network."""
    frame = grunfeld()
    formula = "np.log(invest) ~ np.log(value) + np.log(capital) + C(firm)"
    model = ne.NeuralRegression.from_formula(formula, frame, hidden=(4,))
    fit = model.fit(alpha=np.inf, cov_type="cluster", cov_kwds={"groups": ["firm", "year"]})
    with pytest.warns(IdentificationWarning, match="of two ways has negative variances"):
        found = fit.wald_test_terms().table
    theirs = smf.ols(formula, frame)
    ways = [
        theirs.fit(cov_type="cluster", cov_kwds={"groups": frame[name]})
        for name in ("firm", "year")
    ]
    both = ways[0].cov_params() + ways[1].cov_params()
    dummies = [name for name in both if name.startswith("C(firm)")]
    params = ways[0].params[dummies].to_numpy()
    expected = params @ np.linalg.solve(both.loc[dummies, dummies], params)
    close(found.loc["C(firm)", "statistic"], expected)
    assert expected < 3000 and found.loc["C(firm)", "df_constraint"] == 10
    rows = np.array([[one == name for one in fit.params.index] for name in dummies], dtype=float)
    close(fit.wald_test(rows).statistic, expected)
    # one coefficient alone is tested as its t statistic says
    close(found.loc["np.log(value)", "statistic"], fit.tvalues["np.log(value)"] ** 2)


def test_size_of_joint_tests_by_two_ways():
    """Five slopes, errors without common parts: the repaired matrix rejects a third at 5%."""
    rng = np.random.default_rng(0)
    first, second = np.repeat(np.arange(20), 20), np.tile(np.arange(20), 20)
    groups = {"groups": np.column_stack([first, second])}
    rejected = []
    for _ in range(300):
        design = np.column_stack([np.ones(400), rng.standard_normal((400, 5))])
        q, r = np.linalg.qr(design)
        error = rng.standard_normal(400)
        scores = q * (error - q @ (q.T @ error))[:, None]
        found = clustered(scores, dict(groups), 394)
        back = np.linalg.inv(r)[1:]
        slopes = back @ (q.T @ error)
        row = []
        for matrix in (found.matrix, found.matrix if found.wide is None else found.wide):
            statistic, rank = quadratic(slopes, back @ matrix @ back.T)
            row.append(stats.f.sf(statistic / rank, rank, 19) < 0.05)
        rejected.append(row)
    repaired, wide = np.mean(rejected, axis=0)
    assert repaired > 0.25
    assert wide < 0.13


def test_fewer_groups_than_parameters_are_explained():
    frame = grunfeld()
    model = ne.NeuralRegression.from_formula("invest ~ value + capital + C(firm)", frame, hidden=())
    fit = model.fit(cov_type="cluster", cov_kwds={"groups": "firm"})
    with pytest.warns(IdentificationWarning, match=r"has rank 2, but the model 13 .*up to 2 restr"):
        errors = fit.bse
    theirs = smf.ols("invest ~ value + capital + C(firm)", frame)
    close(errors, theirs.fit(cov_type="cluster", cov_kwds={"groups": frame["firm"]}).bse)
    with pytest.warns(IdentificationWarning, match=r"rank 2: the test is one of the combinations"):
        test = fit.wald_test(np.eye(13)[1:11])
    assert test.df_denom == 2
