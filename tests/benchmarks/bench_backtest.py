"""A backtest of an LSTM that is estimated anew at every origin: a PyTorch loop and nnecon.

    python tests/benchmarks/bench_backtest.py --origins 40

US quarterly data (growth, inflation, Treasury bill rate), LSTM with 16 units on windows of eight
quarters beside two linear lags, one network a target, five random starts, the last 40 cutoffs,
penalty .05. nnecon starts from random networks at the first origin and from the last estimate
afterwards, and solves every problem to a relative gradient norm under 1e-6. PyTorch does what one
writes first: a loop over origins, targets and starts, the same linear part and penalty, Adam on all
rows (learning rate .01, single precision). One line gives it as many steps as nnecon takes
Jacobians and products with the Hessian a network after the first origin, the other as many as
bring its mean objective within 1% of nnecon's, found on the last origin. Its loop is timed on some
origins and scaled up; it has one thread, with which it is faster than with two.
"""

import argparse
from collections.abc import Callable
from time import process_time

import numpy as np
from measure import Requirement, seconds, show

import nnecon as ne
from nnecon.estimation.local_model import Rows

TARGETS = ["growth", "infl", "tbilrate"]
UNITS, WINDOW, LAGS, STARTS, ALPHA = 16, 8, 2, 5, 0.05
MOST_STEPS = 1000


def forecaster(frame):
    """The model on a sample."""
    return ne.LSTMForecaster.from_formula(
        " + ".join(TARGETS) + " ~ 1", frame, units=UNITS, window=WINDOW, linear_lags=LAGS
    )


def own(frame, origins: int) -> None:
    """nnecon's backtest."""
    ne.backtest(
        {"lstm": (forecaster(frame), {"alpha": ALPHA, "n_starts": STARTS})},
        frame,
        initial=len(frame) - origins,
        refit=True,
        reselect=False,
        intervals=False,
        progress=False,
    )


def torch_fit(rows, target, steps: int, seed: int) -> list[float]:
    """One network by Adam; the objective at each step."""
    import torch

    # so small a step takes longer with two threads, and very much longer on a busy machine
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    p, n = 1 + 3 * LAGS, len(rows)
    x = torch.tensor(rows[:, :p], dtype=torch.float32)
    window = torch.tensor(rows[:, p:].reshape(n, WINDOW, -1)[:, :, :-1], dtype=torch.float32)
    y = torch.tensor(target, dtype=torch.float32)
    lstm = torch.nn.LSTM(window.shape[2], UNITS, batch_first=True)
    out = torch.nn.Linear(UNITS, 1, bias=False)
    linear = torch.nn.Linear(p, 1, bias=False)
    with torch.no_grad():
        linear.weight[0] = torch.linalg.lstsq(x, y[:, None]).solution[:, 0]
    weights = [lstm.weight_ih_l0, lstm.weight_hh_l0, out.weight]
    biases = [lstm.bias_ih_l0, lstm.bias_hh_l0]
    parameters = [*lstm.parameters(), *out.parameters(), *linear.parameters()]
    adam = torch.optim.Adam(parameters, lr=0.01)
    history = []
    for _ in range(steps):
        adam.zero_grad()
        states, _ = lstm(window)
        value = (out(states[:, -1]) + linear(x))[:, 0]
        squares = sum((w**2).sum() for w in weights) + 0.01 * sum((b**2).sum() for b in biases)
        loss = 0.5 * ((value - y) ** 2).mean() + 0.5 * ALPHA * squares
        loss.backward()
        adam.step()
        history.append(loss.item())
    return history


def sample(frame):
    """Rows, and the standardised target of each equation."""
    model = forecaster(frame)
    ready = model.prepared
    targets = [
        scaling.target(ready.sample.target[:, at]) for at, scaling in enumerate(ready.scalings)
    ]
    return model, ready.rows[0], targets


def loop(frame, ends: list[int], steps: int) -> None:
    """What one writes first in PyTorch."""
    for end in ends:
        _, rows, targets = sample(frame.iloc[:end])
        for target in targets:
            for seed in range(STARTS):
                torch_fit(rows, target, steps, seed)


def gradients(frame) -> float:
    """Gradients and Hessian products a network that nnecon takes for an origin after the first."""
    results = forecaster(frame.iloc[:-1]).fit(alpha=ALPHA, n_starts=STARTS, progress=False)
    counted = {"jacobian": 0, "bend": 0}
    plain = {name: getattr(Rows, name) for name in counted}
    for name in counted:

        def call(self, *given, name=name):
            counted[name] += 1
            return plain[name](self, *given)

        setattr(Rows, name, call)
    forecaster(frame).fit(alpha=ALPHA, n_starts=STARTS, start=results, progress=False)
    for name in counted:
        setattr(Rows, name, plain[name])
    return sum(counted.values()) / (STARTS * len(TARGETS))


def needed(frame) -> tuple[int, float]:
    """Steps that bring Adam's mean objective within 1% of nnecon's, and the gap it ends with."""
    model, rows, targets = sample(frame)
    results = model.fit(alpha=ALPHA, n_starts=STARTS, progress=False)
    ours = np.mean(
        [[one.objective for one in equation.solutions] for equation in results.equations]
    )
    histories = [
        torch_fit(rows, target, MOST_STEPS, seed) for target in targets for seed in range(STARTS)
    ]
    course = np.minimum.accumulate(np.mean(histories, axis=0))
    near = np.flatnonzero(course <= 1.01 * ours)
    return (int(near[0]) + 1 if len(near) else MOST_STEPS), float(course[-1] / ours - 1.0)


def costs(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the clock and of the processor, which a busy machine stretches less."""
    begun = process_time()
    return seconds(run), process_time() - begun


def measure(origins: int = 40, timed: int = 2) -> list[Requirement]:
    """Seconds of both, PyTorch's from some origins."""
    frame = ne.datasets.load_macro()[TARGETS]
    own(frame.iloc[:-1], 2)
    ours, busy = costs(lambda: own(frame, origins))
    print(f"nnecon: {ours:.1f} s, of the processors {busy:.1f} s", flush=True)
    equal = round(gradients(frame))
    steps, gap = needed(frame)
    ends = np.linspace(len(frame) - origins, len(frame) - 1, timed).astype(int).tolist()
    found = [
        Requirement(
            f"Backtest of an LSTM, {origins} origins", ours, 60.0, False,
            f"{busy:.0f} s of the processors", " s",
        )
    ]  # fmt: skip
    for what, count in (
        (f"as many steps as nnecon takes gradients ({equal} a network)", equal),
        (f"to 1% of nnecon's objective ({steps} steps; after {MOST_STEPS} {gap:+.1%})", steps),
    ):
        taken = costs(lambda count=count: loop(frame, ends, count))
        theirs, at_work = (each * origins / timed for each in taken)
        found.append(
            Requirement(
                f"The same, PyTorch with Adam, {what} / nnecon", theirs / ours, 10.0, True,
                f"PyTorch {theirs:.0f} s, nnecon {ours:.0f} s; of the processors {at_work:.0f} s "
                f"and {busy:.0f} s",
            )
        )  # fmt: skip
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--origins", type=int, default=40)
    parser.add_argument("--timed", type=int, default=2, help="origins that PyTorch is timed on")
    options = parser.parse_args()
    show(measure(options.origins, options.timed))
