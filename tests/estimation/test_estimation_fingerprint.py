"""Fingerprints: equal where the numbers are, in any process, and else different."""

import functools
import subprocess
import sys
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nnecon.estimation.estimate import SOLVERS
from nnecon.estimation.fingerprint import Fingerprints, fingerprint
from nnecon.estimation.losses import Logistic, PseudoHuber, Squared
from nnecon.estimation.penalties import ElasticNet, Ridge
from nnecon.estimation.problem import FAST, PATIENT, Chain, Objective
from nnecon.estimation.solvers.minibatch import solver_for
from nnecon.estimation.training import SGD, Adam
from nnecon.exceptions import SpecificationError
from nnecon.nets import Custom, Dense

SCALE = 2.0


def times(factor):
    return lambda p, row: factor * p[0]


def scaled(p, row):
    def inside():
        return SCALE * p[0]

    return inside()


def factorial(n):
    return n * factorial(n - 1) if n else 1


@dataclass(frozen=True)
class Shift:
    by: float

    def __call__(self, p, row):
        return p[0] + self.by


class Plain:
    def __init__(self, by):
        self.by = by

    def __call__(self, p, row):
        return p[0] + self.by


class Other(Plain):
    def __call__(self, p, row):
        return p[0] - self.by


def different():
    """Things that all differ from each other, made anew at every call."""
    x = np.arange(6.0)
    mask = np.ones(3)
    return [
        x,
        x.astype(np.float32),
        x.astype(int),
        x.reshape(2, 3),
        x.reshape(3, 2).T,
        -0.0 * x,
        0.0 * x,
        np.float64(1.0),
        1.0,
        1,
        True,
        "1",
        b"1",
        None,
        [],
        (),
        {},
        ("ab", "c"),
        ("a", "bc"),
        (("a",), "bc"),
        {"a": 1, "b": 2},
        {"a": 2, "b": 1},
        {"left", "right", "middle"},
        frozenset({1, 2}) | {3},
        jnp.arange(3),
        np.random.default_rng(1),
        np.random.default_rng(2),
        slice(1, 2),
        Dense(3, 2, (4,), "tanh"),
        Dense(3, 2, (4,), "relu"),
        Squared(),
        Logistic(),
        PseudoHuber(1.0),
        PseudoHuber(2.0),
        Ridge(mask),
        ElasticNet(mask, 0.5),
        FAST,
        PATIENT,
        Chain.single(x, mask, 0.1),
        Chain.single(x, mask, 0.2),
        replace(Chain.single(x, mask, 0.1), ceiling=3.0),
        SOLVERS["lm"].run,
        SOLVERS["lbfgs"].run,
        times(1.0),
        times(2.0),
        lambda p, row: p[0] + 1,
        lambda p, row: p[0] + 2,
        lambda p, row, more=1: p[0] + 2,
        lambda p, row, *, more=1: p[0] + 2,
        lambda p, row: next(q + 1 for q in p),
        lambda p, row: jnp.sin(p[0]),
        lambda p, row: jnp.cos(p[0]),
        lambda p, row: np.cos(p[0]),
        scaled,
        factorial,
        functools.partial(times, 1.0),
        functools.partial(times, 2.0),
        Shift(1.0),
        Shift(2.0),
        Shift(1.0).__call__,
        Plain(1.0),
        Plain(2.0),
        Other(1.0),
        Custom(Plain(1.0), 1, 1),
        jnp.tanh,
        jnp.sin,
        jax.nn.relu,
        jax.jit(times(1.0)),
        jax.jit(times(2.0)),
        np.exp,
        np.log,
        np.add.reduce,
        solver_for(Adam()).run,
        solver_for(Adam(), rng=1).run,
        solver_for(SGD()).run,
        solver_for(Adam(schedule=optax.cosine_decay_schedule(1.0, 100))).run,
        solver_for(Adam(schedule=optax.cosine_decay_schedule(1.0, 200))).run,
        solver_for(Adam(schedule=optax.exponential_decay(1.0, 100, 0.9))).run,
        solver_for(
            Adam(schedule=optax.join_schedules([optax.constant_schedule(1.0)] * 2, [10]))
        ).run,
        solver_for(
            Adam(schedule=optax.join_schedules([optax.constant_schedule(1.0)] * 2, [20]))
        ).run,
    ]


def test_equal_things_are_equal_and_others_are_not():
    first, second = ([fingerprint(thing) for thing in different()] for _ in range(2))
    assert first == second
    assert len(set(first)) == len(first)
    together = Fingerprints()
    assert [together.of(thing) for thing in different()] == first


def test_other_processes_agree():
    # with another order of sets and other addresses
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_estimation_fingerprint as t; "
        "print(*[t.fingerprint(thing) for thing in t.different()])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, __file__.rpartition("/")[0]],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [fingerprint(thing) for thing in different()]


def test_functions_count_with_what_they_read(monkeypatch):
    before = fingerprint(scaled)
    monkeypatch.setitem(globals(), "SCALE", 3.0)
    assert fingerprint(scaled) != before
    monkeypatch.setitem(globals(), "SCALE", 2.0)
    assert fingerprint(scaled) == before


def test_modules_of_the_users_count_with_their_source(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "helper_of_mine.py").write_text("def f(x):\n    return x\n")
    import helper_of_mine

    def network(p, row):
        return helper_of_mine.f(p[0])

    before = fingerprint(network)
    assert fingerprint(network) == before
    (tmp_path / "helper_of_mine.py").write_text("def f(x):\n    return -x\n")
    assert fingerprint(network) != before


def test_layout_and_sharing_do_not_count():
    x = np.random.default_rng(0).standard_normal((40, 3))
    assert fingerprint(np.asfortranarray(x)) == fingerprint(x)
    assert fingerprint(np.repeat(x, 2, axis=0)[::2]) == fingerprint(x)
    assert fingerprint([x, x]) == fingerprint([x, x.copy()])
    network = Dense(1, 2, (2,), "tanh")
    parts = network, x, x[:, 0], Ridge(np.ones(network.n_params))
    assert fingerprint(Objective(*parts)) == fingerprint(Objective(*parts))


def test_a_list_that_holds_itself_ends():
    endless = [1]
    endless.append(endless)
    assert fingerprint(endless) != fingerprint([1, [1]])


def test_what_cannot_be_told_apart_is_refused(tmp_path):
    with (
        open(tmp_path / "file", "w") as file,
        pytest.raises(SpecificationError, match=r"checkpoint= cannot tell .*TextIOWrapper"),
    ):
        fingerprint(lambda p, row: file)
