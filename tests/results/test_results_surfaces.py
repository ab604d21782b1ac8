"""Surfaces, interactions and Shapley values: functions that are known, and finite differences."""

import itertools

import numpy as np
import pandas as pd
import pytest
from helpers import numerical_jacobian

import nnecon as ne
from nnecon.exceptions import DataError, SpecificationError
from nnecon.inference.shapley import exact, exact_weights, sampled
from nnecon.report import plots

PARAMS = [1.0, 2.0, -1.0, 3.0, 0.5]


def known(b, x):
    """1 + 2 x1 - x2 + 3 x1 x2 + x3 / 2."""
    return b[0] + b[1] * x[1] + b[2] * x[2] + b[3] * x[1] * x[2] + b[4] * x[3]


@pytest.fixture(scope="module")
def exact_fit():
    g = np.random.default_rng(2)
    frame = pd.DataFrame(g.normal([1.0, 0.5, 0.0], 1.0, (60, 3)), columns=["x1", "x2", "x3"])
    frame["w"] = g.uniform(0.5, 2.0, 60)
    frame["y"] = known(PARAMS, [1.0, *frame[["x1", "x2", "x3"]].to_numpy().T])
    frame["y"] += g.standard_normal(60)
    model = ne.NeuralRegression.from_formula(
        "y ~ x1 + x2 + x3", frame, network=known, start_params=PARAMS, weights="w"
    )
    return model.results_at(PARAMS), frame


def test_surface_of_a_known_function(exact_fit):
    results, frame = exact_fit
    found = results.effect_surface("x1", "x2", ([0.0, 1.0, 2.0], [-1.0, 0.5])).frame
    weights = frame["w"] / frame["w"].sum()
    means = {name: weights @ frame[name] for name in ("x1", "x2", "x3")}
    a, b = (found.index.get_level_values(k).to_numpy() for k in (0, 1))
    np.testing.assert_allclose(found["mean"], 1 + 2 * a - b + 3 * a * b + means["x3"] / 2)
    # beyond the sum of the two single effects
    product = weights @ (frame["x1"] * frame["x2"])
    pure = 3 * (a * b - a * means["x2"] - b * means["x1"] + product)
    np.testing.assert_allclose(found["interaction"], pure, atol=1e-12)
    additive = results.effect_surface("x1", "x3", 4).frame
    np.testing.assert_allclose(additive["interaction"], 0.0, atol=1e-12)


def test_errors_of_surfaces_by_finite_differences(curved_results):
    results, grid = curved_results, ([-1.0, 0.3], [0.0, 1.0])

    def values(params):
        frame = results.model.results_at(params, results.alpha).effect_surface("x1", "x2", grid)
        return frame.frame[["mean", "interaction"]].to_numpy().ravel()

    found = results.effect_surface("x1", "x2", grid, alpha=0.1).frame
    jacobian = numerical_jacobian(values, results.params, 1e-5)
    expected = np.sqrt(np.diag(jacobian @ results.cov_params() @ jacobian.T)).reshape(-1, 2)
    np.testing.assert_allclose(found[["mean_se", "interaction_se"]], expected, rtol=1e-3)
    width = 1.6448536269514722 * found["mean_se"]
    np.testing.assert_allclose(found["mean_ci_upper"] - found["mean"], width)
    np.testing.assert_allclose(found["mean"] - found["mean_ci_lower"], width)


def test_surfaces_of_categories_are_predictions_at_changed_rows(curved_results, curved_frame):
    for pair in (("x1", "region"), ("region", "x1")):
        found = curved_results.effect_surface(*pair, grid=3).frame
        values = found.index.get_level_values("x1").unique()
        there = curved_frame.assign(region="West", x1=values[1])
        key = (values[1], "West") if pair[0] == "x1" else ("West", values[1])
        assert found.loc[key, "mean"] == pytest.approx(curved_results.predict(there).mean())
        linear = found["baseline"]
        gap = linear.xs("West", level="region") - linear.xs("East", level="region")
        np.testing.assert_allclose(np.ptp(gap), 0.0, atol=1e-12)


@pytest.mark.parametrize("pair", [("x1", "x2"), ("x1", "region"), ("region", "x2")])
def test_figures(curved_results, pair):
    figure = curved_results.plot_effect(*pair, grid=4, xlabel="the first, units")
    labels = {text for ax in figure.axes for text in (ax.get_xlabel(), ax.get_ylabel())}
    assert "the first, units" in labels or pair[0] == "region"
    figure.canvas.draw()


def test_figure_of_two_categories(curved_frame):
    frame = curved_frame.assign(half=np.where(curved_frame["firm"] < 10, "low", "high"))
    results = ne.NeuralRegression.from_formula("y ~ x1 + region * half", frame, hidden=()).fit()
    figure = results.plot_effect("region", "half")
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == list(
        frame["region"].cat.categories
    )
    figure.canvas.draw()


SURFACE_MISTAKES = {
    "needs two regressors, but both are 'x1'": ("x1", "x1", None),
    "'x9' is no regressor": ("x1", "x9", None),
    "'region' is a category, .*some of its levels: 'East', 'North'": ("x1", "region", (4, 4)),
    "'region' is a category, whose curve": ("x1", "region", (4, ["East", "Mars"])),
    "grid has 3 entries": ("x1", "x2", (4, 4, 4)),
    r"a tuple of two grids, one for 'x1' and one for 'x2'": ("x1", "x2", [0.0, 1.0]),
    "one number of points, or a tuple of two": ("x1", "x2", [1.0, 2.0]),
    "grid=1: give at least 2 points": ("x1", "x2", (1, 4)),
}


@pytest.mark.parametrize("message", SURFACE_MISTAKES)
def test_mistakes_about_surfaces(curved_results, message):
    with pytest.raises(SpecificationError, match=message):
        curved_results.effect_surface(*SURFACE_MISTAKES[message])
    with pytest.raises(SpecificationError, match="leave kind"):
        curved_results.plot_effect("x1", "x2", kind="ale")
    with pytest.raises(SpecificationError, match="points of the first are grid="):
        curved_results.plot_effect("x1", 8)


def test_surfaces_that_cannot_be_drawn(curved_results):
    frame = curved_results.effect_surface("x1", "x2", 3).frame
    with pytest.raises(DataError, match="every pair"):
        plots.plot_surface(frame.iloc[:-1])
    with pytest.raises(DataError, match="index of two levels"):
        plots.plot_surface(frame.reset_index())


def test_h_statistic_of_a_known_function(exact_fit):
    results, frame = exact_fit
    found = results.interaction_strength()
    weights = (frame["w"] / frame["w"].sum()).to_numpy()
    x1, x2 = frame[["x1", "x2"]].to_numpy().T
    first = 2 * x1 + 3 * x1 * (weights @ x2)
    second = -x2 + 3 * x2 * (weights @ x1)
    joint = 2 * x1 - x2 + 3 * x1 * x2
    first, second, joint = (part - weights @ part for part in (first, second, joint))
    rest, total = weights @ (joint - first - second) ** 2, weights @ joint**2
    assert found.loc[("x1", "x2"), "H2"] == pytest.approx(rest / total, rel=1e-9)
    assert found.loc[("x1", "x2"), "sd"] == pytest.approx(np.sqrt(rest), rel=1e-9)
    for pair in (("x1", "x3"), ("x2", "x3")):
        assert found.loc[pair, "H2"] == pytest.approx(0.0, abs=1e-20)
    assert found.index[0] == ("x1", "x2")
    assert set(results.interaction_strength("x3").index) == {("x1", "x3"), ("x2", "x3")}
    assert list(results.interaction_strength("x2", "x1").index) == [("x1", "x2")]
    part = results.interaction_strength("x1", "x2", n_points=30, rng=1)
    assert part["H2"].iloc[0] == pytest.approx(rest / total, rel=0.5)


def test_mistakes_about_interactions(curved_results):
    with pytest.raises(SpecificationError, match="not 'x1' twice"):
        curved_results.interaction_strength("x1", "x1")
    with pytest.raises(SpecificationError, match="one variable, or two"):
        curved_results.interaction_strength("x1", "x2", "region")
    with pytest.raises(SpecificationError, match="n_points=1: give a number of rows"):
        curved_results.interaction_strength(n_points=1)


def by_permutations(worth, count):
    """Shapley's own definition: the mean over all orders of what each variable adds."""
    orders = list(itertools.permutations(range(count)))
    total = 0.0
    for order in orders:
        mask, added = np.zeros(count, dtype=bool), np.zeros(count)
        for j in order:
            before = worth(mask)[0]
            mask[j] = True
            added[j] = worth(mask)[0] - before
        total = total + added
    return total / len(orders)


def test_sets_and_orders_agree():
    g = np.random.default_rng(0)
    table = g.standard_normal(16)
    worth = lambda mask: np.array([table[mask @ (1 << np.arange(4))]])
    found = exact(worth, 4)
    np.testing.assert_allclose(found[0], by_permutations(worth, 4), rtol=1e-12)
    assert found.sum() == pytest.approx(table[-1] - table[0])
    # the mean is fair to a variable that adds the same to every set
    np.testing.assert_allclose(exact_weights(4).sum(axis=1), 0.0, atol=1e-15)
    many, error = sampled(worth, 4, 4000, g)
    np.testing.assert_allclose(many[0], found[0], atol=4 * error.max())
    assert error.max() < 0.03
    assert many.sum() == pytest.approx(table[-1] - table[0])


def test_errors_of_sampling_are_the_spread_over_samples():
    g = np.random.default_rng(1)
    table = g.standard_normal(32)
    worth = lambda mask: np.array([table[mask @ (1 << np.arange(5))]])
    draws = [sampled(worth, 5, 40, g) for _ in range(300)]
    spread = np.std([value[0] for value, _ in draws], axis=0)
    mean_error = np.sqrt(np.mean([error[0] ** 2 for _, error in draws], axis=0))
    np.testing.assert_allclose(mean_error, spread, rtol=0.15)


def test_shapley_values_of_a_known_function(exact_fit):
    results, frame = exact_fit
    found = results.shapley(frame.head(3), background=60)
    weights = (frame["w"] / frame["w"].sum()).to_numpy()
    x1, x2, x3 = frame[["x1", "x2", "x3"]].to_numpy().T
    m1, m2, m3, product = weights @ x1, weights @ x2, weights @ x3, weights @ (x1 * x2)
    for i in range(3):
        a, b, c = x1[i], x2[i], x3[i]
        # of the product: half of what joining adds first, and half of what it adds last
        own = ((a * m2 - product) + (a * b - b * m1)) / 2.0
        other = ((b * m1 - product) + (a * b - a * m2)) / 2.0
        expected = [2 * (a - m1) + 3 * own, -(b - m2) + 3 * other, 0.5 * (c - m3)]
        np.testing.assert_allclose(found.frame.iloc[i], expected, rtol=1e-10)


@pytest.fixture(scope="module")
def bent():
    g = np.random.default_rng(6)
    frame = pd.DataFrame({"x": g.standard_normal(80), "z": g.uniform(0.5, 2.0, 80)})
    frame["k"] = g.choice(["a", "b", "c"], 80)
    frame["y"] = np.tanh(frame["x"]) * frame["z"] + (frame["k"] == "b") * frame["x"]
    frame["y"] += 0.2 * g.standard_normal(80)
    model = ne.NeuralRegression.from_formula(
        "y ~ x * C(k) + np.log(z) + I(x * z)", frame, hidden=(2,)
    )
    return model.fit(alpha=0.01, n_starts=2), frame


def test_shapley_values_sum_to_the_prediction(bent):
    results, frame = bent
    found = results.shapley()
    assert list(found.frame.columns) == ["k", "x", "z"] or set(found.frame) == {"k", "x", "z"}
    np.testing.assert_allclose(found.prediction, results.fittedvalues)
    assert found.base == pytest.approx(results.fittedvalues.mean())
    total = found.frame.sum(axis=1)
    np.testing.assert_allclose(total, found.prediction - found.base, atol=1e-12)
    # one variable after the other, by prediction at changed rows: all sets with z known or not
    row, others = frame.iloc[[5]], frame
    sets = {}
    for known_ones in itertools.product([False, True], repeat=3):
        there = others.copy()
        for name, inside in zip(("k", "x", "z"), known_ones, strict=True):
            if inside:
                there[name] = row[name].iloc[0]
        sets[known_ones] = results.predict(there).mean()
    worth = lambda mask: np.array([sets[tuple(bool(m) for m in mask)]])
    expected = exact(worth, 3)[0]
    np.testing.assert_allclose(found.frame.loc[5, ["k", "x", "z"]], expected, rtol=1e-9)
    assert list(found.importance.index) == sorted(
        found.frame, key=lambda name: -found.frame[name].abs().mean()
    )


def test_batches_of_rows_do_not_matter(bent, monkeypatch):
    results, frame = bent
    some = frame.head(7)
    expected = results.shapley(some, background=20).frame
    monkeypatch.setattr("nnecon.results.shapley.BATCH", 60)
    found = results.shapley(some, background=20)
    pd.testing.assert_frame_equal(found.frame, expected, rtol=1e-12)
    drawn = results.shapley(some, background=20, n_permutations=6)
    assert drawn.frame.shape == drawn.se.shape == expected.shape
    total = drawn.frame.sum(axis=1)
    np.testing.assert_allclose(total, drawn.prediction - drawn.base, atol=1e-12)


def test_errors_of_shapley_values_by_finite_differences(bent):
    results, frame = bent

    def values(params):
        there = results.model.results_at(params, results.alpha)
        return there.shapley(frame.iloc[[3]], background=20).frame.to_numpy()[0]

    found = results.shapley(frame.iloc[[3]], background=20, errors=True)
    jacobian = numerical_jacobian(values, results.params, 1e-5)
    expected = np.sqrt(np.diag(jacobian @ results.cov_params() @ jacobian.T))
    np.testing.assert_allclose(found.se.to_numpy()[0], expected, rtol=1e-4)


def test_many_variables_are_sampled():
    g = np.random.default_rng(0)
    x = g.standard_normal((40, 14))
    names = [f"x{j}" for j in range(14)]
    frame = pd.DataFrame(x, columns=names).assign(y=x[:, 0] - x[:, 1] + g.standard_normal(40))
    results = ne.NeuralRegression(frame["y"], frame[names].assign(const=1.0), hidden=()).fit()
    with pytest.raises(SpecificationError, match=r"16,384 sets.*n_permutations=200"):
        results.shapley()
    found = results.shapley(n_permutations=4)
    expected = results.params[names] * (frame[names] - frame[names].mean())
    np.testing.assert_allclose(found.frame, expected, atol=1e-12)
    assert (found.se < 1e-12).all(axis=None)


def test_mistakes_about_shapley_values(bent):
    results, frame = bent
    with pytest.raises(SpecificationError, match="background=0: give a whole number"):
        results.shapley(background=0)
    with pytest.raises(SpecificationError, match=r"n_permutations=2\.5: give a whole number"):
        results.shapley(n_permutations=2.5)
    with pytest.raises(SpecificationError, match="errors=True needs all sets"):
        results.shapley(n_permutations=5, errors=True)
    with pytest.raises(DataError, match="'z'"):
        results.shapley(frame[["x", "k"]])


def test_chart_of_shapley_values(bent):
    found = bent[0].shapley()
    figure = found.plot(xlabel="Contribution, points")
    ticks = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert ticks == list(found.importance.index)
    figure.canvas.draw()
    with pytest.raises(DataError, match="do not match"):
        plots.plot_shapley(found.frame, found.values.iloc[:3])


@pytest.mark.parametrize("grid", [[-1.0, 0.0, 1.0], np.array([-1.0, 0.0, 1.0])])
def test_a_grid_beside_a_category_is_the_number_s(curved_results, grid):
    """One curve a level, in either order, equal to curves with the category set."""
    found = curved_results.effect_surface("x1", "region", grid).frame
    assert list(found.index.get_level_values(0).unique()) == [-1.0, 0.0, 1.0]
    assert list(found.index.get_level_values(1).unique()) == ["East", "North", "West"]
    turned = curved_results.effect_surface("region", "x1", grid).frame
    np.testing.assert_allclose(
        turned["mean"].swaplevel().sort_index(), found["mean"].sort_index(), rtol=1e-12
    )
    some = curved_results.effect_surface("x1", "region", (list(grid), ["West", "East"])).frame
    assert list(some.index.get_level_values(1).unique()) == ["West", "East"]
    np.testing.assert_allclose(some["mean"], found.loc[some.index, "mean"], rtol=1e-12)
    figure = curved_results.plot_effect("x1", "region", grid=grid)
    axes = figure.axes[0]
    assert [line.get_label() for line in axes.lines] == ["East", "North", "West"]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), found.xs("East", level=1)["mean"])


def test_some_levels_of_a_category(curved_results):
    every = curved_results.effect_curve("region").frame
    some = curved_results.effect_curve("region", grid=["West", "East"]).frame
    pd.testing.assert_frame_equal(some, every.loc[["West", "East"]])


def test_one_variable_has_no_interactions(curved_frame):
    results = ne.NeuralRegression.from_formula("y ~ x1", curved_frame, hidden=()).fit()
    with pytest.raises(SpecificationError, match="two variables, but the model has only 'x1'"):
        results.interaction_strength()
