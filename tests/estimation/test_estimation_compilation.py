"""Compiled functions on disk: found again, never confused, never in the user's way."""

import os
import subprocess
import sys
import threading
import warnings
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import platformdirs
import pytest

from nnecon.estimation import compilation
from nnecon.estimation.compilation import SUFFIX, cache_folder, cached_jit, describe
from nnecon.estimation.losses import PseudoHuber, Squared
from nnecon.exceptions import NneconWarning
from nnecon.nets import Custom, Dense

NETWORK = Dense(3, 2, (4,), "tanh")
PARAMS = np.linspace(-1.0, 1.0, NETWORK.n_params)
ROWS = np.random.default_rng(0).standard_normal((20, 5))

PROGRAM = """
import sys
import jax, numpy as np
from jax import monitoring
from nnecon.estimation.compilation import cached_jit
from nnecon.nets import Dense

compiled = []
monitoring.register_event_duration_secs_listener(
    lambda name, seconds, **more: compiled.append(name) if "compile/" in name else None
)
network = Dense(3, 2, (4,), "tanh")
function = cached_jit(jax.vmap(jax.value_and_grad(network.apply), in_axes=(None, 0)))
with jax.enable_x64(True):
    value, slope = function(np.linspace(-1.0, 1.0, network.n_params), np.arange(15.0).reshape(3, 5))
print(float(np.asarray(value).sum()).hex(), float(np.asarray(slope).sum()).hex(), len(compiled))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of this test's own, named by the environment variable."""
    monkeypatch.setenv("NNECON_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def saved(folder):
    return sorted(path.name for path in folder.glob("*"))


def program(**environment):
    """Numbers that a process of its own prints, and how many steps of compilation it took."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    *numbers, steps = done.stdout.split()
    return numbers, int(steps)


def test_a_second_process_reads_and_neither_traces_nor_compiles_nor_writes(folder):
    numbers, steps = program()
    assert steps > 0
    files = saved(folder)
    assert len(files) == 1 and files[0].endswith(SUFFIX)
    again, steps = program()
    assert (again, steps) == (numbers, 0)
    assert saved(folder) == files


def test_a_second_process_finds_lapack(folder):
    text = (
        "import jax, numpy as np\n"
        "from nnecon.estimation.compilation import cached_jit\n"
        "function = cached_jit(jax.numpy.linalg.cholesky)\n"
        "print(float(np.asarray(function(4 * np.eye(2, dtype=np.float32)))[1, 1]))"
    )
    for _ in range(2):
        command = [sys.executable, "-W", "error", "-c", text]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "2.0"
    assert len(saved(folder)) == 1


def test_off_writes_nothing_and_gives_the_same_numbers(folder, tmp_path):
    home = {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "xdg")}
    numbers, steps = program(NNECON_CACHE="off", **home)
    assert steps > 0
    assert numbers == program()[0]
    assert not (tmp_path / "home").exists() and not (tmp_path / "xdg").exists()


def test_two_processes_that_write_at_once_leave_one_sound_file(folder):
    jobs = [
        subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    numbers = [job.communicate()[0].split()[:2] for job in jobs]
    assert numbers[0] == numbers[1] and len(numbers[0]) == 2
    assert len(saved(folder)) == 1
    assert program() == (numbers[0], 0)


def test_settings_of_the_user_are_unchanged(folder):
    before = dict(jax.config.values)
    seen = {}

    def spy(x):
        seen.update(jax.config.values)
        return x + 1.0

    function = cached_jit(spy)
    function(np.ones(3, np.float32))
    cached_jit(jax.vmap(NETWORK.apply, in_axes=(None, 0)))(PARAMS, ROWS)
    assert dict(jax.config.values) == before
    assert seen == before
    assert saved(folder)


def test_numbers_are_those_of_jit_in_both_precisions(folder):
    function = jax.vmap(jax.value_and_grad(NETWORK.apply), in_axes=(None, 0))
    for wide in (True, False):
        with jax.enable_x64(wide):
            expected = jax.jit(function)(PARAMS, ROWS)
            for _ in range(2):
                # a new object has nothing in memory and reads the file the second time
                got = cached_jit(function)(PARAMS, ROWS)
                for one, other in zip(got, expected, strict=True):
                    assert one.dtype == other.dtype
                    np.testing.assert_array_equal(one, other)
    assert len(saved(folder)) == 2


def test_different_functions_have_different_descriptions():
    losses = Squared(), PseudoHuber(1.0), PseudoHuber(2.0)
    networks = [Dense(3, 2, (4,), "tanh"), Dense(3, 2, (4,), "relu"), Dense(3, 2, (5,), "tanh")]
    wrapped = [
        lambda f: f,
        jax.vmap,
        jax.grad,
        jax.value_and_grad,
        jax.jacfwd,
        partial(jax.vmap, in_axes=(None, 0)),
        partial(jax.vmap, in_axes=(0, None)),
        partial(jax.grad, argnums=1),
    ]
    functions = [wrap(network.apply) for network in networks for wrap in wrapped]
    texts = [describe(function) for function in [*functions, *(loss.value for loss in losses)]]
    assert None not in texts
    assert len(set(texts)) == len(texts)


def test_a_users_function_is_found_by_its_program(folder):
    def make(power):
        return Custom(lambda b, x: b[0] * x[0] ** power, 1, 1)

    for power in (2, 3):
        network = make(power)
        assert describe(network.apply) is None
        for _ in range(2):
            value = cached_jit(network.apply)(np.full(1, 2.0), np.full(1, 3.0))
            assert value == 2.0 * 3.0**power
    assert len(saved(folder)) == 2


def test_a_program_that_calls_back_is_not_saved(folder):
    calls = []

    def chatty(x):
        jax.debug.callback(calls.append, x[0])
        return 2.0 * x

    np.testing.assert_array_equal(cached_jit(chatty)(np.ones(2)), 2.0)
    jax.effects_barrier()
    assert len(calls) == 1
    assert saved(folder) == []


def test_donated_arguments_after_reading_from_disk(folder):
    def step(x, y):
        return x + y

    for _ in range(2):
        function = cached_jit(step, donate_argnums=(0,))
        first = jnp.arange(4.0)
        np.testing.assert_array_equal(function(first, np.ones(4, np.float32)), [1, 2, 3, 4])
        assert first.is_deleted()
    assert len(saved(folder)) == 1


def test_inside_other_transformations(folder):
    function = cached_jit(lambda x: jnp.sum(x**2))
    x = np.arange(3.0, dtype=np.float32)
    np.testing.assert_array_equal(jax.grad(function)(x), 2 * x)
    np.testing.assert_array_equal(jax.vmap(function)(np.stack([x, 2 * x])), [5.0, 20.0])
    assert jax.jit(function)(x) == 5.0


def test_threads_compile_a_shape_once(folder, monkeypatch):
    traced, together = [], threading.Barrier(4)

    def slow(x):
        traced.append(None)
        return jnp.sin(x)

    function = cached_jit(slow)

    def call():
        together.wait()
        function(np.ones(5))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(traced) == 1


def test_a_damaged_file_is_compiled_anew(folder):
    function = jax.vmap(NETWORK.apply, in_axes=(None, 0))
    expected = np.asarray(cached_jit(function)(PARAMS, ROWS))
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    for damaged in (b"", whole[:100], whole[:-1] + b"\0\0", b"x" * 200):
        path.write_bytes(damaged)
        np.testing.assert_array_equal(cached_jit(function)(PARAMS, ROWS), expected)
        assert path.read_bytes() not in (damaged, b"")


def test_debugging_settings_of_the_user_count(folder):
    function = cached_jit(jnp.log)
    function(np.ones(2))
    with jax.debug_nans(True), pytest.raises(FloatingPointError):
        function(-np.ones(2))


def test_settings_that_change_the_program_change_the_entry(folder):
    def function(x):
        return x * jax.random.uniform(jax.random.key(0), (3,))

    first = cached_jit(function)(np.ones(3))
    with jax.threefry_partitionable(False):
        second = cached_jit(function)(np.ones(3))
    assert not np.array_equal(first, second)
    assert len(saved(folder)) == 2


# -- folders --------------------------------------------------------------------------------------


def blocked(tmp_path):
    """A folder that nobody can make: its parent is a file."""
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "cache"


def test_a_named_folder_that_cannot_be_written_is_told_once(tmp_path, monkeypatch):
    compilation._cannot_write.cache_clear()
    monkeypatch.setenv("NNECON_CACHE", str(blocked(tmp_path)))
    with pytest.warns(NneconWarning, match="NNECON_CACHE=off"):
        assert cached_jit(jnp.sum)(np.ones(3)) == 3.0
    assert cached_jit(jnp.sum)(np.ones(4)) == 4.0


def test_a_default_folder_that_cannot_be_written_is_no_trouble(tmp_path, monkeypatch):
    monkeypatch.delenv("NNECON_CACHE", raising=False)
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *a, **k: str(blocked(tmp_path)))
    assert cached_jit(jnp.sum)(np.ones(3)) == 3.0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_read_only_folder_is_read(folder):
    numbers, _ = program()
    folder.chmod(0o500)
    try:
        assert program() == (numbers, 0)
    finally:
        folder.chmod(0o700)


def test_where_the_files_are(tmp_path, monkeypatch):
    monkeypatch.delenv("NNECON_CACHE", raising=False)
    assert cache_folder().name == "nnecon"
    with jax._src.config.compilation_cache_dir(str(tmp_path)):
        assert cache_folder() == tmp_path / "nnecon"
        monkeypatch.setenv("NNECON_CACHE", str(tmp_path / "own"))
        assert cache_folder() == tmp_path / "own"
    monkeypatch.setenv("NNECON_CACHE", "0")
    assert cache_folder() is None
    monkeypatch.delenv("NNECON_CACHE")
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *a, **k: "~/.cache/nnecon")
    assert cache_folder() is None
    with jax._src.config.enable_compilation_cache(False):
        monkeypatch.setenv("NNECON_CACHE", str(tmp_path))
        assert cache_folder() is None


def test_what_nobody_uses_goes(folder, monkeypatch):
    folder.mkdir()
    old, other = folder / f"old{SUFFIX}", folder / "notes.txt"
    for path in (old, other):
        path.write_bytes(b"")
        os.utime(path, (0, 0))
    monkeypatch.setattr(compilation, "_tidied", set())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cached_jit(jnp.sum)(np.ones(3))
    assert not old.exists() and other.exists()
