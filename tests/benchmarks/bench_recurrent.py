"""One gradient step of an LSTM: PyTorch and nnecon, in single and double precision.

    python tests/benchmarks/bench_recurrent.py --repeats 100

(batch, window, inputs, units) of (64, 24, 10, 32), (512, 24, 10, 32) and (64, 24, 10, 128): the
mean squared error of a linear read-out of the last state, and its gradient by all parameters.
PyTorch runs ``torch.nn.LSTM`` eagerly, which calls its fused kernel, with one thread and with two;
the faster counts. The first step of each is not counted. Times are the fastest of all repeats,
taken in turn: what else runs on a machine only adds to them, and most to threads that wait for each
other.
"""

import argparse
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from measure import Requirement, seconds, show

from nnecon.nets import Recurrent

SHAPES = ((64, 24, 10, 32), (512, 24, 10, 32), (64, 24, 10, 128))
BOUNDS = {"float32": 1.0, "float64": 0.5}


def own_step(shape: tuple[int, int, int, int], dtype: str) -> Callable[[], object]:
    """A function that computes value and gradient with nnecon's network."""
    batch, window, inputs, units = shape
    g = np.random.default_rng(0)
    network = Recurrent(1, window, inputs, (units,))
    periods = g.standard_normal((batch, window, inputs + 1))
    periods[:, :, -1] = 1.0
    rows = np.column_stack([np.ones(batch), periods.reshape(batch, -1)]).astype(dtype)
    target = g.standard_normal(batch).astype(dtype)
    params = network.init(g).astype(dtype)

    def loss(at: jax.Array) -> jax.Array:
        values = network.values(at, rows)
        return jnp.mean((values - target) ** 2)

    with jax.enable_x64(True):
        step = jax.jit(jax.value_and_grad(loss))
        jax.block_until_ready(step(params))

    def run() -> object:
        with jax.enable_x64(True):
            return jax.block_until_ready(step(params))

    return run


def torch_step(shape: tuple[int, int, int, int], dtype: str, threads: int) -> Callable[[], object]:
    """The same with PyTorch."""
    import torch

    batch, window, inputs, units = shape
    kind = getattr(torch, dtype)
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(inputs, units, batch_first=True).to(kind)
    out = torch.nn.Linear(units, 1).to(kind)
    x, y = torch.randn(batch, window, inputs, dtype=kind), torch.randn(batch, dtype=kind)

    def run() -> object:
        torch.set_num_threads(threads)
        lstm.zero_grad()
        out.zero_grad()
        states, _ = lstm(x)
        value = ((out(states[:, -1])[:, 0] - y) ** 2).mean()
        value.backward()
        return value

    run()
    return run


def requirements(repeats: int) -> list[Requirement]:
    """Measure every shape in both precisions."""
    found = []
    for shape in SHAPES:
        for dtype, bound in BOUNDS.items():
            ours = own_step(shape, dtype)
            theirs = [torch_step(shape, dtype, threads) for threads in (1, 2)]
            taken = [[seconds(call) for call in (ours, *theirs)] for _ in range(repeats)]
            own, *peers = np.min(taken, axis=0)
            found.append(
                Requirement(
                    f"LSTM gradient step {shape}, {dtype}: nnecon / PyTorch",
                    own / min(peers),
                    bound,
                    False,
                    f"fastest of {repeats}: nnecon {1e3 * own:.2f} ms, PyTorch "
                    f"{1e3 * peers[0]:.2f} ms with one thread, {1e3 * peers[1]:.2f} ms with two",
                )
            )
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=100)
    show(requirements(parser.parse_args().repeats))
