"""Compiled functions that the next process finds on disk: ``jax.jit`` with a memory.

:func:`cached_jit` takes the place of ``jax.jit``. What it compiles is saved to a folder, and a
later process with the same function and shapes reads it back without tracing, lowering or
compiling. No setting of JAX is changed for this: the files are nnecon's own, written with
``jax.experimental.serialize_executable``, and a compilation cache that the user set up for JAX goes
on working beside them.

The environment variable ``NNECON_CACHE`` says where the files are:

=================  ============================================================================
unset or ``on``    the folder ``nnecon`` inside ``jax_compilation_cache_dir`` where the user has
                   set that to a local folder, otherwise the user's cache folder
                   (``~/.cache/nnecon`` on Linux)
a path             that folder
``0`` or ``off``   nowhere: every process compiles anew
=================  ============================================================================

``jax_enable_compilation_cache=False`` switches these files off too. Entries unused for 60 days are
removed. A folder that cannot be written is read where it can be; only where it was named by
``NNECON_CACHE`` does a warning say so. Loading an entry runs machine code: as with JAX's own
cache, name no folder that others may write to.
"""

import contextlib
import functools
import hashlib
import os
import pickle
import platform
import tempfile
import threading
import time
import types
import warnings
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np
import platformdirs
from jax.experimental import serialize_executable

from nnecon.estimation import compiled_memory
from nnecon.exceptions import NneconWarning

SWITCH = "NNECON_CACHE"
"""Name of the environment variable."""

SUFFIX = ".xla"
UNUSED_DAYS = 60
_OFF, _ON = {"0", "off", "no", "false"}, {"", "1", "on", "yes", "true"}
_CACHE_SETTINGS = ("jax_compilation_cache", "jax_persistent_cache")
_tidied: set[Path] = set()
# its attributes are made at run time, which type checkers do not see
_config: Any = jax.config


def cached_jit(
    function: Callable[..., Any], *, donate_argnums: tuple[int, ...] = ()
) -> "CachedFunction":
    """Compile a function once a shape, for this process and for later ones.

    To be used as ``jax.jit`` is, with positional array arguments. What is saved is found again by a
    description of the function: its code, what it closes over, nnecon's own source, the shapes,
    the settings of JAX, the versions and the processor. A function of which no description can be
    given (it is the user's, or closes over his) is traced in every process and found by the traced
    program, which saves compilation alone.

    Parameters
    ----------
    function : callable
        A function of arrays, written with jax.numpy.
    donate_argnums : tuple of int
        Arguments whose memory the result may take, as in ``jax.jit``.

    Returns
    -------
    CachedFunction
    """
    return CachedFunction(function, donate_argnums)


class CachedFunction:
    """A function that compiles when a shape is first seen, or reads what was compiled before."""

    def __init__(self, function: Callable[..., Any], donate_argnums: tuple[int, ...]) -> None:
        self._function = function
        self._donated = donate_argnums
        self._jitted = jax.jit(function, donate_argnums=donate_argnums)
        self._ready: dict[Any, Callable[..., Any]] = {}
        self._locks: dict[Any, threading.Lock] = {}
        functools.update_wrapper(self, function)
        compiled_memory.holders.add(self)

    def forget(self) -> None:
        """Drop what was compiled; calls that run go on, later ones compile again."""
        self._ready.clear()

    def __call__(self, *args: Any) -> Any:
        """Call the compiled function."""
        leaves, tree = jax.tree_util.tree_flatten(args)
        if _config.jax_debug_nans or _config.jax_debug_infs or _config.jax_disable_jit:
            return self._jitted(*args)
        signature = (
            tree,
            _config.jax_enable_x64,
            _config.jax_default_matmul_precision,
            _config.jax_default_device,
            *map(_abstract, leaves),
        )
        ready = self._ready.get(signature)
        if ready is None:
            ready = self._prepare(signature, leaves, args)
        return ready(*args)

    def _prepare(self, signature: Any, leaves: list[Any], args: tuple[Any, ...]) -> Callable:
        if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
            return self._jitted
        device = _device()
        elsewhere = any(isinstance(a, jax.Array) and a.devices() != {device} for a in leaves)
        with self._locks.setdefault(signature, threading.Lock()):
            ready = self._ready.get(signature)
            if ready is None:
                compiled_memory.count_compilation()
                ready = self._jitted if elsewhere else self._load_or_compile(args, device)
                self._ready[signature] = ready
        return ready

    def _load_or_compile(self, args: tuple[Any, ...], device: jax.Device) -> Callable[..., Any]:
        folder = cache_folder()
        if folder is None:
            return self._jitted
        described = describe(self._function)
        lowered = None
        if described is None:
            lowered = self._jitted.lower(*args)
            described = lowered.as_text()
        leaves, tree = jax.tree_util.tree_flatten(args)
        shapes = [(np.shape(a), str(jax.dtypes.result_type(a)), _weak(a)) for a in leaves]
        key = (described, self._donated, str(tree), shapes, environment(device))
        digest = hashlib.sha256(repr(key).encode()).hexdigest()
        path = folder / f"{self._function.__name__}-{digest}{SUFFIX}"
        found = _read(path, device)
        if found is not None:
            return found
        lowered = lowered or self._jitted.lower(*args)
        compiled = lowered.compile()
        # a callback is an address in this process
        if "callback" not in lowered.as_text():
            _write(path, compiled)
        return compiled


def _weak(leaf: Any) -> bool:
    return bool(getattr(leaf, "weak_type", isinstance(leaf, bool | int | float | complex)))


def _abstract(leaf: Any) -> Any:
    """What a compiled function depends on: not the numbers."""
    if isinstance(leaf, jax.core.Tracer):
        return jax.core.Tracer
    if isinstance(leaf, jax.Array):
        return leaf.shape, leaf.dtype, leaf.weak_type, leaf.sharding
    if isinstance(leaf, np.ndarray | np.generic):
        return leaf.shape, leaf.dtype
    return type(leaf)


def _device() -> jax.Device:
    """Where JAX computes by default, by the user's settings."""
    chosen = _config.jax_default_device
    if chosen is None or isinstance(chosen, str):
        return jax.local_devices(backend=chosen)[0]
    return chosen


# -- what identifies a compiled function ----------------------------------------------------------


def describe(value: Any) -> str | None:
    """Text that is equal in two processes only where the function computes the same.

    Functions of nnecon and JAX are described by their code and by what they close over; the source
    of nnecon and the version of JAX are part of :func:`environment`. None where a part is anything
    else, such as a function of the user's.
    """
    try:
        return _describe(value)
    except _NotDescribableError:
        return None


class _NotDescribableError(Exception):
    pass


def _describe(value: Any) -> str:
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | slice):
        return repr(value)
    if isinstance(value, Enum | np.dtype):
        return repr(value)
    if isinstance(value, tuple | list):
        return f"{type(value).__name__}({','.join(map(_describe, value))})"
    if isinstance(value, dict):
        return f"dict({','.join(f'{_describe(k)}:{_describe(v)}' for k, v in value.items())})"
    if isinstance(value, np.ndarray | np.generic):
        return f"array({value.shape},{value.dtype},{np.asarray(value).tobytes().hex()})"
    if isinstance(value, functools.partial):
        return f"partial({_describe((value.func, value.args, value.keywords))})"
    if isinstance(value, types.MethodType):
        return f"method({_describe((value.__self__, value.__func__))})"
    if isinstance(value, types.FunctionType):
        return _describe_function(value)
    if isinstance(value, CachedFunction):
        return f"cached({_describe(value._function)})"
    if isinstance(value, types.ModuleType) and _known(value.__name__):
        return f"module({value.__name__})"
    if isinstance(value, type) and _known(value.__module__):
        return f"type({value.__module__}.{value.__qualname__})"
    if is_dataclass(value) and not isinstance(value, type) and _known(type(value).__module__):
        inside = ",".join(f"{f.name}={_describe(getattr(value, f.name))}" for f in fields(value))
        return f"{type(value).__module__}.{type(value).__qualname__}({inside})"
    if type(value) is object:
        # JAX marks arguments that were not given with one
        return "object()"
    raise _NotDescribableError


def _known(module: str | None) -> bool:
    """Whether the source of a module is part of :func:`environment`."""
    return (module or "").split(".")[0] in ("nnecon", "jax", "optax")


def _describe_function(function: types.FunctionType) -> str:
    # the module in which it was written; decorators overwrite __module__
    module, code = function.__globals__.get("__name__"), function.__code__
    if not _known(module):
        raise _NotDescribableError
    closed = [cell.cell_contents for cell in function.__closure__ or ()]
    inside = _describe([closed, function.__defaults__, function.__kwdefaults__])
    return f"{module}.{code.co_qualname}:{code.co_firstlineno}({inside})"


def environment(device: jax.Device) -> str:
    """Versions, nnecon's source, processor, and the user's settings of JAX and XLA."""
    settings = {
        name: repr(value)
        for name, value in jax.config.values.items()
        if not name.startswith(_CACHE_SETTINGS)
    }
    client = device.client
    where = (device.platform, device.device_kind, device.id, client.platform_version)
    return repr((software(), _processor(), where, os.environ.get("XLA_FLAGS"), settings))


@functools.cache
def software() -> tuple[str, ...]:
    """Digest of the source that computes, and versions of what it computes with."""
    source = hashlib.sha256()
    package = Path(__file__).parents[1]
    # jax is used nowhere else
    for part in ("nets", "estimation", "inference"):
        for path in sorted((package / part).rglob("*.py")):
            source.update(str(path.relative_to(package)).encode() + path.read_bytes())
    versions = [f"{name} {_version(name)}" for name in ("jax", "jaxlib", "optax", "numpy")]
    return (source.hexdigest(), platform.python_version(), *versions)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


@functools.cache
def _processor() -> tuple[Any, ...]:
    """The processor's features and how many of them XLA may use."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            first = [line for line in iter(lines.readline, "\n") if line][:64]
        wanted = ("vendor_id", "cpu family", "model", "flags", "Features", "CPU ")
        features = "".join(line for line in first if line.startswith(wanted))
    except OSError:
        features = platform.processor() + platform.node()
    return platform.system(), platform.machine(), features, cores()


def cores() -> int:
    """Cores that this process may use."""
    count = getattr(os, "process_cpu_count", None)
    affinity = getattr(os, "sched_getaffinity", None)
    if count is not None:
        return count() or 1
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


# -- files ----------------------------------------------------------------------------------------


def cache_folder() -> Path | None:
    """Where compiled functions are kept, by ``NNECON_CACHE`` and the user's settings of JAX."""
    switch = os.environ.get(SWITCH, "").strip()
    if switch.lower() in _OFF or not _config.jax_enable_compilation_cache:
        return None
    if switch.lower() not in _ON:
        return Path(switch).expanduser()
    users = _config.jax_compilation_cache_dir
    if users and "://" not in str(users):
        return Path(users) / "nnecon"
    folder = Path(platformdirs.user_cache_dir("nnecon", appauthor=False))
    # without a home the path begins with ~
    return folder if folder.is_absolute() else None


def _read(path: Path, device: jax.Device) -> Callable[..., Any] | None:
    """The compiled function in a file; None where there is none or it is damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(content[32:]).digest() != content[:32]:
        return None
    try:
        program, inside, outside = pickle.loads(content[32:])
        if b"lapack" in program:
            _load_lapack()
        loaded = serialize_executable.deserialize_and_load(
            program, inside, outside, device.client, [device]
        )
    except jax.errors.JaxRuntimeError:
        return None
    # somebody else's file may refuse, and its age is then not ours to tell
    with contextlib.suppress(OSError):
        os.utime(path)
    return loaded


@functools.cache
def _load_lapack() -> None:
    """Let XLA find SciPy's LAPACK, as lowering a function that calls it does.

    A function that was compiled by another process calls it without looking.
    """
    jax.jit(jax.numpy.linalg.cholesky).lower(np.eye(1, dtype=np.float32))


def _write(path: Path, compiled: Any) -> None:
    """Save a compiled function; whoever reads meanwhile sees the old file or the new one."""
    try:
        content = pickle.dumps(serialize_executable.serialize(compiled))
    except (ValueError, NotImplementedError, jax.errors.JaxRuntimeError):
        # not every program and device can be saved, and none has to be
        return
    folder = path.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as file:
            file.write(hashlib.sha256(content).digest() + content)
        os.replace(file.name, path)
        _tidy(folder)
    except OSError as error:
        _cannot_write(folder, error.strerror or str(error))


@functools.cache
def _cannot_write(folder: Path, reason: str) -> None:
    """Tell, once, whoever named the folder; nobody chose the default one."""
    if os.environ.get(SWITCH, "").strip().lower() not in _ON:
        warnings.warn(
            f"{SWITCH}={folder}: compiled functions cannot be saved there ({reason}), and the next "
            f"process compiles again. Name a folder that can be written, or {SWITCH}=off.",
            NneconWarning,
            stacklevel=2,
        )


def _tidy(folder: Path) -> None:
    """Remove, once a process, what has not been used for long."""
    if folder in _tidied:
        return
    _tidied.add(folder)
    oldest = time.time() - UNUSED_DAYS * 86400
    for path in [*folder.glob(f"*{SUFFIX}"), *folder.glob("*.part")]:
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
