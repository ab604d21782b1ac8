"""Streamed designs against designs in memory, and streamed least squares against statsmodels."""

import re
import tracemalloc

import numpy as np
import pandas as pd
import patsy
import pytest
import statsmodels.api as sm

from nnecon.data.design import Design
from nnecon.data.stream import Stream
from nnecon.data.stream_design import StreamDesign
from nnecon.exceptions import DataError, ForecastError, FormulaError

FORMULAS = [
    "y ~ x * z",
    "y ~ 1",
    "y ~ 0 + g",
    "y ~ g * h + b",
    "y ~ x * g",
    "y ~ C(k) + np.log(z)",
    "y ~ C(c):x",
    "y ~ bs(x, 5) + g",
    "y ~ bs(x, df=4, degree=2):g",
    "y ~ cr(x, 4) + center(z)",
    "y ~ te(cr(x, 3), cr(z, 3))",
    "y ~ standardize(x) * g * h",
    "y ~ scale(center(x)) + k",
    "y ~ I(x**2) + x + k - 1",
    "y ~ C(g, Sum) + C(k, Poly)",
    "y ~ Q('gdp growth') * x",
    "I(y * 2) ~ np.maximum(x, 0) + (z > 1.5)",
    "(y > 0) ~ double(x)",
]


def double(x):
    return 2 * x


def panel(n=120, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n),
            "z": rng.uniform(1.0, 2.0, n),
            "g": np.sort(rng.choice(list("abc"), n)),
            "h": rng.choice(["u", "v"], n),
            "c": pd.Categorical(rng.choice(["lo", "hi"], n), ["lo", "mid", "hi"]),
            "k": rng.integers(0, 4, n),
            "b": rng.random(n) > 0.5,
            "gdp growth": rng.normal(size=n),
            "w": rng.uniform(0.5, 2.0, n),
        },
        index=[f"r{i}" for i in range(n)],
    )
    frame.loc[frame.index.isin(["r3", *[f"r{i}" for i in range(40, 48)]]), "x"] = np.nan
    frame.loc[frame.index.isin(["r7", "r90"]), "g"] = None
    frame.loc[frame.index.isin(["r80"]), "y"] = np.nan
    return frame


def together(design, dtype=np.float64):
    blocks = list(design.blocks(dtype))
    return np.concatenate([y for y, _ in blocks]), np.concatenate([x for _, x in blocks])


def assert_equals_memory(design, memory):
    endog, exog = together(design)
    assert design.exog_names == memory.exog_names
    assert design.endog_name == memory.endog_name
    assert design.const_index == memory.const_index
    assert (design.n_obs, design.n_original) == (memory.nobs, memory.n_original)
    np.testing.assert_allclose(exog, memory.exog, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(endog, memory.endog)


def test_chunks_of_two_rows_equal_memory():
    frame, formula = panel(40), "y ~ bs(x, 4) + g * h + C(k) + standardize(z)"
    memory = Design.from_formula(formula, frame).sample
    assert_equals_memory(StreamDesign.from_formula(formula, Stream.of(frame, chunk_rows=2)), memory)


def write(frame, path):
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("rows", [9, 1000])
@pytest.mark.parametrize("formula", FORMULAS)
def test_any_chunk_size_equals_memory(formula, rows):
    frame = panel()
    memory = Design.from_formula(formula, frame)
    design = StreamDesign.from_formula(formula, Stream.of(frame, chunk_rows=rows))
    assert_equals_memory(design, memory.sample)
    # new rows: the last splines and levels are those of all chunks
    new = frame.dropna().iloc[50:61]
    exog, index = design.exog_for(new)
    np.testing.assert_allclose(exog, memory.exog_for(new)[0], rtol=1e-12, atol=1e-12)
    assert index.equals(new.index)
    parts = list(design.exog_chunks(Stream.of(new, chunk_rows=4)))
    assert [len(part) for part, _ in parts] == [4, 4, 3]
    np.testing.assert_array_equal(np.concatenate([part for part, _ in parts]), exog)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize("formula", ["y ~ bs(x, 4) + g * h", "y ~ C(k2) + b2 + z", "y ~ C(k)"])
def test_files_equal_memory(formula, suffix, tmp_path):
    frame = panel()
    # missing values come late: the first chunks hold whole numbers and true or false only
    frame["k2"] = frame["k"].where(frame.index != "r100").astype("Int64")
    frame["b2"] = frame["b"].astype(object).where(frame.index != "r101", None)
    path = write(frame, tmp_path / f"data{suffix}")
    whole = pd.read_parquet(path) if suffix == ".parquet" else pd.read_csv(path)
    memory = Design.from_formula(formula, whole).sample
    assert_equals_memory(StreamDesign.from_formula(formula, Stream.of(path, chunk_rows=16)), memory)


def test_parquet_reads_only_what_is_needed_and_keeps_labels(tmp_path):
    frame = panel()
    path = write(frame, tmp_path / "data.parquet")
    stream = Stream.of(str(path), chunk_rows=50)
    assert stream.n_rows == 120 and stream.columns == tuple(frame.columns)
    read = [chunk for chunk in stream.chunks(["z", "g"])]
    assert [list(chunk.columns) for chunk in read] == [["z", "g"]] * 3
    assert list(pd.concat(read).index) == list(frame.index)
    by_number = write(frame.reset_index(drop=True).iloc[10:], tmp_path / "numbers.parquet")
    labels = [label for chunk in Stream.of(by_number, chunk_rows=50) for label in chunk.index]
    assert labels == list(range(10, 120))


def test_every_source_gives_the_same():
    frame = panel()
    parts = [frame.iloc[:50], frame.iloc[:0], frame.iloc[50:]]
    memory = Design.from_formula("y ~ x + g", frame).sample
    for source in (frame, parts, tuple(parts), lambda: iter(parts), lambda: (p for p in parts)):
        stream = Stream.of(source, chunk_rows=20)
        assert max(len(chunk) for chunk in stream) == 20
        assert_equals_memory(StreamDesign.from_formula("y ~ x + g", stream), memory)
    assert Stream.of(stream) is stream


def test_levels_and_categories_are_the_union_over_chunks():
    first = pd.DataFrame({"y": [1.0, 2.0], "g": pd.Categorical(["b", "b"])})
    second = pd.DataFrame({"y": [3.0, 5.0], "g": pd.Categorical(["a", None])})
    third = pd.DataFrame({"y": [3.0, 5.0], "g": [None, None]})
    design = StreamDesign.from_formula("y ~ 0 + g", [first, second, third])
    assert design.exog_names == ("g[b]", "g[a]") and design.n_obs == 3
    np.testing.assert_array_equal(together(design)[1], [[1, 0], [1, 0], [0, 1]])
    text = [frame.astype({"g": object}) for frame in (first, second, third)]
    assert StreamDesign.from_formula("y ~ 0 + g", text).exog_names == ("g[a]", "g[b]")


def test_blocks_have_the_type_asked_for_and_skip_chunks_without_rows():
    frame = panel()
    frame.loc["r20":"r39", "x"] = np.nan
    design = StreamDesign.from_formula("y ~ x", Stream.of(frame, chunk_rows=10))
    blocks = list(design.blocks(np.float32))
    assert {(y.dtype, x.dtype) for y, x in blocks} == {(np.dtype("f4"), np.dtype("f4"))}
    assert len(blocks) == 10 and all(len(y) for y, _ in blocks)


@pytest.mark.parametrize("subset", ["z > 1.5", "g == 'b' and `gdp growth` < 1", "k.isin([1, 2])"])
def test_subset_equals_memory(subset, tmp_path):
    frame = panel()
    path = write(frame, tmp_path / "data.parquet")
    memory = Design.from_formula("y ~ x * h", frame, subset=subset, drop_cols="h[T.v]").sample
    design = StreamDesign.from_formula(
        "y ~ x * h", Stream.of(path, chunk_rows=9), subset=subset, drop_cols="h[T.v]"
    )
    assert_equals_memory(design, memory)


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("formula", ["y ~ far + tiny + huge + g", "y ~ 0 + far + tiny", "y ~ z"])
def test_least_squares_equals_statsmodels(formula, weights):
    frame = panel(600).drop(columns="x")
    rng = np.random.default_rng(1)
    frame["far"] = 2000.0 + rng.normal(size=600)
    frame["tiny"] = 1e-6 * rng.normal(size=600)
    frame["huge"] = 1e7 * rng.normal(size=600)
    frame["y"] += 1e5 * frame["tiny"] + frame["far"]
    design = StreamDesign.from_formula(formula, Stream.of(frame, chunk_rows=37), weights=weights)
    memory = Design.from_formula(formula, frame)
    w = np.ones(memory.sample.nobs) if weights is None else memory.align("w", "weights")
    # statsmodels' pseudo-inverse wants columns of one scale
    scale = np.abs(memory.sample.exog).max(axis=0)
    expected = sm.WLS(memory.sample.endog, memory.sample.exog / scale, weights=w).fit()
    found = design.moments.least_squares(design.exog_names)
    np.testing.assert_allclose(found.params, expected.params / scale, rtol=1e-8)
    np.testing.assert_allclose(found.bse, expected.bse / scale, rtol=1e-8)
    np.testing.assert_allclose(found.rss, expected.ssr, rtol=1e-10)
    np.testing.assert_allclose(found.rsquared, expected.rsquared, rtol=1e-8)
    assert found.df_resid == expected.df_resid
    correlation = expected.cov_params() / np.outer(scale, scale)
    np.testing.assert_allclose(found.cov_params, correlation, rtol=1e-6, atol=1e-300)
    moments = design.moments
    mean = np.average(memory.sample.exog, axis=0, weights=w)
    spread = np.average((memory.sample.exog - mean) ** 2, axis=0, weights=w)
    np.testing.assert_allclose(moments.mean, mean, rtol=1e-12, atol=1e-18)
    np.testing.assert_allclose(moments.std, np.sqrt(spread), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(moments.size, np.sqrt(mean**2 + spread), rtol=1e-12)
    y = memory.sample.endog
    centre = np.average(y, weights=w)
    assert moments.endog_mean == pytest.approx(centre, rel=1e-12)
    assert moments.endog_std == pytest.approx(np.sqrt(np.average((y - centre) ** 2, weights=w)))
    assert moments.weight_sum == pytest.approx(w.sum()) and moments.n_obs == len(y)


def test_moments_keep_their_digits_far_from_zero():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=1000)
    frame = pd.DataFrame({"x": 1e8 + noise, "y": 1.0 + 2.0 * noise + rng.normal(size=1000)})
    design = StreamDesign.from_formula("y ~ x", Stream.of(frame, chunk_rows=64))
    near = sm.OLS(frame["y"], sm.add_constant(frame["x"] - 1e8)).fit()
    found = design.moments.least_squares()
    np.testing.assert_allclose(found.params[1], near.params["x"], rtol=1e-10)
    np.testing.assert_allclose(found.bse[1], near.bse["x"], rtol=1e-10)
    np.testing.assert_allclose(design.moments.std[1], frame["x"].std(ddof=0), rtol=1e-10)


def test_weights_equal_repeated_rows():
    frame = panel(60).dropna()
    frame["times"] = np.arange(len(frame)) % 3 + 1
    weighted = StreamDesign.from_formula("y ~ x + g", Stream.of(frame, 11), weights="times")
    repeated = StreamDesign.from_formula("y ~ x + g", frame.loc[frame.index.repeat(frame["times"])])
    a, b = (design.moments for design in (weighted, repeated))
    np.testing.assert_allclose(a.std, b.std, rtol=1e-12)
    np.testing.assert_allclose(
        a.least_squares().params, b.least_squares().params, rtol=1e-9, atol=1e-12
    )
    assert [w.sum() for _, _, w in weighted.weighted_blocks()] == [
        chunk["times"].sum() for chunk in Stream.of(frame, 11)
    ]


def refused(error, words, formula="y ~ x", source=None, rows=10, **options):
    frame = panel() if source is None else source
    with pytest.raises(error, match=re.escape(words)):
        design = StreamDesign.from_formula(formula, Stream.of(frame, chunk_rows=rows), **options)
        design.moments.least_squares(design.exog_names)


def test_time_operators_are_refused():
    for formula in ("y ~ lag(x, 1)", "diff(y) ~ x", "y ~ np.log(lag(z, 1, 2))"):
        refused(FormulaError, "reaches over the borders of chunks", formula)


def test_rows_that_cannot_be_used_are_named():
    refused(DataError, "chunk 1: column 'x' has 1 missing value at 'r3'", missing="raise")
    refused(DataError, "missing must be 'drop' or 'raise'", missing="keep")
    frame = panel()
    frame.loc["r55", "z"] = np.inf
    refused(DataError, "chunk 6: 'z' is infinite at row 'r55'", "y ~ z", frame)
    frame = panel()
    frame.loc["r55", "z"] = 0.0
    refused(DataError, "chunk 6: 'np.log(z)' is infinite at row 'r55'", "y ~ np.log(z)", frame)
    refused(DataError, "the left-hand side 'h' must hold numbers", "h ~ z")
    refused(FormulaError, "did you mean 'gdp growth'", "y ~ gdp_growth")
    refused(FormulaError, "takes values from other rows", "y ~ I(z - z.mean())")
    refused(DataError, "column 'x' has no values", source=panel().assign(x=np.nan))
    one, other = panel().assign(x=np.nan), panel().assign(y=np.nan)
    refused(DataError, "no row of 240 is complete", "y ~ x", [one, other])
    refused(DataError, "'h' has only the level 'u'", "y ~ h", source=panel().assign(h="u"))
    dates = panel().assign(d=pd.Timestamp("2001-01-01"))
    refused(DataError, "'d' holds dates", "y ~ d", source=dates)


def test_arrays_from_outside_are_refused():
    outside = np.arange(120.0)
    refused(FormulaError, "no column of the data", "y ~ I(z * outside)", env={"outside": outside})
    # as long as a chunk, so that it would be multiplied into every chunk alike
    refused(FormulaError, "cannot evaluate", "y ~ I(z * part)", env={"part": outside[:10]})
    stream = Stream.of(panel(), chunk_rows=2)
    design = StreamDesign.from_formula("y ~ bs(z, knots=inner)", stream, env={"inner": [1.4, 1.6]})
    assert len(design.exog_names) == 6


def test_chunks_that_differ_are_named():
    first, second = panel(), panel()
    refused(
        DataError,
        "chunk 2 lacks the column 'z'",
        source=[first, second.drop(columns="z")],
        rows=500,
    )
    refused(
        DataError,
        "chunk 2 has the column 'q' besides",
        source=[first, second.assign(q=1)],
        rows=500,
    )
    text = second.assign(x=second["x"].map("n{:.1f}".format))
    refused(
        DataError,
        "column 'x' holds numbers in chunk 1 but text in chunk 2 ('n",
        source=[first, text],
        rows=500,
    )
    mixed = panel().astype({"x": object})
    mixed.loc["r20", "x"] = "n.a."
    refused(DataError, "column 'x' holds text among numbers: 'n.a.' at row 'r20'", source=mixed)
    spelled = panel()
    spelled["x"] = [str(i) for i in range(119)] + ["unknown"]
    refused(DataError, "column 'x' holds text among numbers: 'unknown' at row 'r119'", "y ~ x",
            spelled)  # fmt: skip
    refused(DataError, "chunk 2 is a str, not a DataFrame", source=[panel(), "panel"])


def test_weights_that_cannot_be_used_are_named():
    refused(DataError, "weights: unknown column 'W'; did you mean 'w'", weights="W")
    refused(DataError, "weights must name a column", weights=np.ones(120))
    refused(DataError, "must be positive, but row 'r61' has 0", weights="w",
            source=panel().assign(w=lambda f: f["w"].where(f.index != "r61", 0.0)))  # fmt: skip
    refused(DataError, "('w') is missing at row 'r61'", weights="w",
            source=panel().assign(w=lambda f: f["w"].where(f.index != "r61")))  # fmt: skip


def test_subsets_that_cannot_be_used_are_named():
    refused(DataError, "subset leaves no rows", subset="z > 5")
    refused(DataError, "subset must be a condition", subset=np.ones(120, dtype=bool))
    refused(DataError, "is no condition", subset="z + 1")
    refused(DataError, "unknown column 'zz'", subset="zz > 1")
    refused(DataError, "see one chunk", subset="z > z.mean()")


def test_designs_that_do_not_determine_coefficients_are_named():
    collinear = panel().assign(v=lambda f: 2 * f["z"] + 1)
    refused(DataError, "column 'v' is a linear combination of 'z'", "y ~ z + v", collinear)
    refused(DataError, "column 'v' does not vary", "y ~ z + v", collinear.assign(v=3.7))
    refused(DataError, "3 rows cannot determine 3 coefficients", "y ~ z + w", panel().iloc[:3])


def test_sources_that_cannot_be_used_are_named(tmp_path):
    cases = [
        (iter([panel()]), "pass a function without arguments that makes it anew"),
        ((part for part in [panel()]), "cannot stream a generator"),
        (tmp_path / "none.parquet", "there is no file"),
        (tmp_path / "none.csv", "there is no file"),
        ([], "hold no rows"),
        ([panel().iloc[:0]], "hold no rows"),
        (panel().iloc[:0], "no rows in data"),
        (lambda: iter([]), "hold no rows"),
        (panel, "must return an iterator of DataFrames, not a DataFrame"),
        (3.0, "cannot stream a float"),
    ]
    for source, words in cases:
        with pytest.raises(DataError, match=re.escape(words)):
            Stream.of(source)
    (tmp_path / "data.xlsx").write_bytes(b"")
    (tmp_path / "broken.parquet").write_bytes(b"no table")
    (tmp_path / "empty.csv").write_text("")
    write(panel().iloc[:0], tmp_path / "rows.parquet")
    (tmp_path / "rows.csv").write_text("y,x\n")
    for name, words in [
        ("data.xlsx", "read it whole with nnecon.read_table"),
        ("broken.parquet", "cannot be read as a table"),
        ("empty.csv", "cannot be read as a table"),
        ("rows.parquet", "holds no rows"),
        ("rows.csv", "holds no rows"),
    ]:
        with pytest.raises(DataError, match=words):
            StreamDesign.from_formula("y ~ x", tmp_path / name)
    for rows in (1, 2.5, True, "many"):
        with pytest.raises(DataError, match="chunk_rows"):
            Stream.of(panel(), chunk_rows=rows)
    with pytest.raises(DataError, match="there is no column 'zz'"):
        list(Stream.of(panel()).chunks(["zz"]))


def test_types_of_a_text_file_can_be_given(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("y,g\n1,01\n2,02\n3,a1\n4,xx\n")
    with pytest.raises(DataError, match="column 'g' holds whole numbers in chunk 1 but text in"):
        StreamDesign.from_formula("y ~ g", Stream.of(path, chunk_rows=2))
    design = StreamDesign.from_formula("y ~ 0 + g", Stream.of(path, 2, dtype={"g": str}))
    assert design.exog_names == ("g[01]", "g[02]", "g[a1]", "g[xx]")
    with pytest.raises(DataError, match="dtype is for"):
        Stream.of(panel(), dtype={"x": float})


def test_a_source_that_changes_between_passes_is_refused():
    parts = [panel()]
    design = StreamDesign.from_formula("y ~ x", lambda: iter(parts))
    parts[0] = parts[0].iloc[:50]
    with pytest.raises(DataError, match="gave 120 rows in the first pass and 50 in this one"):
        list(design.blocks())
    exhausted = iter([panel()])
    with pytest.raises(DataError, match="no rows"):
        StreamDesign.from_formula("y ~ x", lambda: exhausted)


def test_new_rows_that_cannot_be_used_are_named():
    design = StreamDesign.from_formula("y ~ x + g", Stream.of(panel(), chunk_rows=10))
    new = panel().iloc[10:13]
    with pytest.raises(DataError, match="the new rows have no column 'g'"):
        design.exog_for(new.drop(columns="g"))
    with pytest.raises(DataError, match="has the value 'q' at row 'r10'"):
        design.exog_for(new.assign(g="q"))
    with pytest.raises(DataError, match="column 'x' held numbers in the estimation data"):
        design.exog_for(new.assign(x="much"))
    with pytest.raises(ForecastError, match="chunk 2: column 'x' is missing at row 'r12'"):
        list(design.exog_chunks(Stream.of(new.assign(x=[1.0, 2.0, np.nan]), chunk_rows=2)))


def test_the_callers_frame_is_not_changed_and_may_change():
    frame = panel()
    before = frame.copy(deep=True)
    design = StreamDesign.from_formula("y ~ x + g", Stream.of(frame, chunk_rows=10))
    exog = together(design)[1]
    pd.testing.assert_frame_equal(frame, before)
    frame["x"] = 0.0
    np.testing.assert_array_equal(together(design)[1], exog)


def test_memory_does_not_grow_with_rows(tmp_path):
    def peak(n):
        rng = np.random.default_rng(0)
        frame = pd.DataFrame(rng.standard_normal((n, 4)), columns=["y", "a", "b", "c"])
        stream = Stream.of(write(frame, tmp_path / f"{n}.parquet"), chunk_rows=5_000)
        tracemalloc.start()
        fit = StreamDesign.from_formula("y ~ a + b + c", stream).moments.least_squares()
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert fit.df_resid == n - 4
        return held

    peak(10_000)
    short, long = peak(10_000), peak(100_000)
    # a chunk is 160 kB, the long data are 3.2 MB
    assert long < 1.3 * short and long < 2e6


def test_progress_bars_count_rows(capsys):
    StreamDesign.from_formula("y ~ g", Stream.of(panel(), chunk_rows=10), progress=True)
    shown = capsys.readouterr().err
    assert "Reading columns" in shown and "Checking rows" in shown and "120" in shown
    StreamDesign.from_formula("y ~ g", Stream.of(panel(), chunk_rows=10))
    assert capsys.readouterr().err == ""


def test_long_frames_in_memory_equal_patsy():
    rng = np.random.default_rng(0)
    n = 70_000
    frame = pd.DataFrame({name: rng.normal(size=n) for name in ["y", *"abcdefgh"]})
    frame.loc[[5, 65_535, 65_536, 69_999], "a"] = np.nan
    formula = "y ~ a * b + bs(c, 4) + d + e + f + g + h"
    left, right = patsy.dmatrices(formula, frame)
    design = Design.from_formula(formula, frame)
    np.testing.assert_allclose(design.sample.exog, right, rtol=1e-13, atol=1e-14)
    np.testing.assert_array_equal(design.sample.endog, np.asarray(left)[:, 0])
    slope = design.direction("a")[:, design.sample.exog_names.index("a:b")]
    np.testing.assert_array_equal(slope, design.sample.exog[:, design.sample.exog_names.index("b")])


def test_frames_in_memory_are_held_once():
    frame = pd.DataFrame({name: np.arange(250_000.0) for name in ["y", *"abcdefgh"]})
    tracemalloc.start()
    design = Design.from_formula("y ~ a + b + c + d + e + f + g + h", frame)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = design.sample.exog.nbytes
    assert held < 1.5 * size and peak < 2.5 * size
