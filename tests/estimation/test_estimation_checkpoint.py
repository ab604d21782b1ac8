"""Checkpoints: what is read is what was written, whatever happened to the folder in between."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from nnecon.estimation.checkpoint import ABANDONED, SUFFIX, UNFINISHED, Checkpoint
from nnecon.estimation.problem import Trace
from nnecon.exceptions import NneconWarning, SpecificationError


def traces(seed=0):
    g = np.random.default_rng(seed)
    return [
        Trace(
            g.standard_normal((m, 5)),
            np.append(g.random(m - 1), np.inf),
            g.random(m),
            np.full(m, np.nan),
            g.integers(0, 9, m),
            g.random(7 * (m - 1)),
            "Ran 3 epochs." if m > 1 else "",
        )
        for m in (1, 3)
    ]


def assert_same(mine, other):
    for one, two in zip(mine, other, strict=True):
        for name in ("params", "loss", "penalty", "certificate", "iterations", "history"):
            left, right = getattr(one, name), getattr(two, name)
            assert left.dtype == right.dtype
            np.testing.assert_array_equal(left, right)
        assert one.note == two.note and type(one.note) is str


def test_what_is_written_is_read(tmp_path):
    checkpoint = Checkpoint.open(tmp_path / "a" / "b")
    assert checkpoint.read("key", Trace) is None
    checkpoint.write("key", traces())
    assert_same(checkpoint.read("key", Trace), traces())
    checkpoint.write("key", traces(1))
    assert_same(Checkpoint.open(str(tmp_path / "a" / "b")).read("key", Trace), traces(1))
    assert checkpoint.read("another problem", Trace) is None
    assert [path.name for path in checkpoint.folder.iterdir()] == [f"key{SUFFIX}"]


@pytest.mark.parametrize("damage", ["empty", "short", "changed", "foreign"])
def test_a_damaged_file_is_told_and_computed_again(tmp_path, damage):
    checkpoint = Checkpoint.open(tmp_path)
    checkpoint.write("key", traces())
    path = tmp_path / f"key{SUFFIX}"
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {
            "empty": b"",
            "short": content[:middle],
            "changed": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "foreign": b"something else",
        }[damage]
    )
    with pytest.warns(NneconWarning, match=r"key\.traces is damaged"):
        assert checkpoint.read("key", Trace) is None
    checkpoint.write("key", traces())
    assert_same(checkpoint.read("key", Trace), traces())


def test_many_writers_and_readers_of_one_file(tmp_path):
    checkpoint = Checkpoint.open(tmp_path)
    checkpoint.write("key", traces())

    def write_and_read(_):
        checkpoint.write("key", traces())
        assert_same(checkpoint.read("key", Trace), traces())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write_and_read, range(40)))
    assert len(list(tmp_path.iterdir())) == 1


def test_abandoned_files_go_and_others_stay(tmp_path):
    old, young = tmp_path / f"old{UNFINISHED}", tmp_path / f"young{UNFINISHED}"
    mine = tmp_path / "notes.txt"
    for path in (old, young, mine):
        path.touch()
    for path in (old, mine):
        os.utime(path, (0, time.time() - 2 * ABANDONED))
    Checkpoint.open(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([young, mine])


def test_a_folder_that_goes_away_is_explained(tmp_path):
    checkpoint = Checkpoint.open(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(SpecificationError, match=r"gone'.*cannot be written to any more"):
        checkpoint.write("key", traces())


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    checkpoint = Checkpoint.open(tmp_path)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.write("key", traces())
    assert not list(tmp_path.iterdir())


def test_what_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for wrong in (tmp_path / "file", 4, True, ["a"]):
        with pytest.raises(SpecificationError, match=r"^checkpoint=.*pass a folder"):
            Checkpoint.open(wrong)
