"""A process that keeps compiling forgets what it compiled before the system ends it."""

import jax.numpy as jnp
import numpy as np
import pytest

from nnecon.estimation import compiled_memory
from nnecon.estimation.compilation import cached_jit


@pytest.fixture
def no_files(monkeypatch):
    """Nothing is read from disk: each function is compiled here."""
    monkeypatch.setenv("NNECON_CACHE", "off")


@pytest.mark.skipif(compiled_memory.limit() is None, reason="this system limits no mappings")
def test_mappings_are_released_and_functions_work_on(no_files):
    function = cached_jit(lambda x: jnp.sin(x) @ jnp.cos(x))
    # the compiler takes mappings of its own when it first runs
    first = [float(function(np.ones(n, np.float32))) for n in range(2, 62)]
    compiled_memory.make_room(0.0)
    before = compiled_memory.mappings()
    values = [float(function(np.ones(n, np.float32))) for n in range(2, 62)]
    grown = compiled_memory.mappings() - before
    assert grown > 60
    assert compiled_memory.make_room(0.0)
    assert compiled_memory.mappings() - before < grown / 4
    assert values == first


def test_below_the_share_nothing_is_forgotten(no_files):
    function = cached_jit(lambda x: x + 1.0)
    function(np.ones(3, np.float32))
    assert not compiled_memory.make_room(1.0)
    assert function._ready


@pytest.mark.skipif(compiled_memory.limit() is None, reason="this system limits no mappings")
def test_compiling_makes_room_by_itself(monkeypatch, no_files):
    made = []
    monkeypatch.setattr(compiled_memory, "make_room", lambda: made.append(True))
    monkeypatch.setattr(compiled_memory, "_EVERY", 5)
    monkeypatch.setattr(compiled_memory, "_compiled", 0)
    function = cached_jit(lambda x: x * 2.0)
    for n in range(1, 12):
        function(np.ones(n, np.float32))
    assert len(made) == 2


def test_a_system_without_limit_is_left_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(compiled_memory, "_LIMIT", tmp_path / "none")
    monkeypatch.setattr(compiled_memory, "_MAPPINGS", tmp_path / "none")
    assert compiled_memory.limit() is None
    assert compiled_memory.mappings() == 0
    assert not compiled_memory.make_room(0.0)
