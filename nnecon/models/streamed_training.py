"""From a stream to a solution: options, standardised blocks, training, and least squares."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nnecon.data.scaling import Scaling
from nnecon.data.stream_design import WeightedBlock
from nnecon.data.stream_moments import LeastSquares, Moments
from nnecon.data.stream_scaling import scaling_from
from nnecon.estimation.blockwise import Block, certificate
from nnecon.estimation.execution import Monitor
from nnecon.estimation.kernels import CERTIFIED
from nnecon.estimation.losses import Squared
from nnecon.estimation.penalties import Penalty, Ridge
from nnecon.estimation.problem import Solution, Trace
from nnecon.estimation.random_numbers import generator
from nnecon.estimation.rows import Rows, empty
from nnecon.estimation.solvers.minibatch_steps import check
from nnecon.estimation.solvers.stream import fit_stream
from nnecon.estimation.training import Adam, Training
from nnecon.exceptions import SpecificationError
from nnecon.inference.covariance import Covariance
from nnecon.inference.streamed import bread_of, covariance_of, curvature_sums
from nnecon.models.settings import TRAININGS, read_alpha
from nnecon.nets import Dense, Network
from nnecon.results.base import CovarianceSpec
from nnecon.results.progress import progress_bar

KEPT = 2**28
"""Bytes of standardised data that are kept between epochs where the user does not say: 256 MB."""

Blocks = Callable[[], Iterable[Block]]


@dataclass(frozen=True, slots=True, eq=False)
class StreamSettings:
    """The arguments of ``fit`` on a stream, checked.

    ``given`` says whether the user chose the training; ``for_starts`` and ``seed`` are random
    numbers of their own for starts and for everything else; ``said`` is ``rng`` in words.
    """

    alpha: float
    training: Training
    given: bool
    n_starts: int
    test_share: float
    blocked: bool
    memory: int
    for_starts: np.random.Generator
    seed: int
    said: str

    @classmethod
    def check(
        cls,
        network: Network,
        alpha: Any,
        method: Any,
        n_starts: Any,
        test_share: Any,
        blocked: Any,
        rng: Any,
        memory: Any,
    ) -> "StreamSettings":
        """Read the arguments of ``fit``."""
        strength = read_alpha(alpha)
        if isinstance(strength, str):
            raise SpecificationError(
                f"alpha={alpha!r} trains many networks on the whole sample, which a stream does "
                "not do: pass a number. To choose one, fit with several and test_share=0.1, and "
                "take the one with the least Test RMSE in compare()."
            )
        known = isinstance(method, str) and method in TRAININGS
        training = Adam() if method is None else TRAININGS[method] if known else method
        if not isinstance(training, Training):
            raise SpecificationError(
                f"method={method!r}: a stream is trained on in mini-batches; pass "
                "nnecon.Adam(...) or nnecon.SGD(...)."
            )
        check(network, training)
        if not _whole(n_starts) or n_starts < 1:
            raise SpecificationError(f"n_starts={n_starts!r}: give a whole number of at least 1.")
        if not isinstance(network, Dense) and (strength != 0.0 or n_starts != 1):
            raise SpecificationError(
                "network=f(params, x) is estimated without penalty and from start_params; leave "
                "alpha and n_starts at their defaults."
            )
        number = isinstance(test_share, int | float) and not isinstance(test_share, bool)
        if not (number and 0.0 <= test_share < 1.0):
            raise SpecificationError(
                f"test_share={test_share!r}: give a share of the rows of at least 0 and under 1."
            )
        if not isinstance(blocked, bool):
            raise SpecificationError(f"blocked={blocked!r}: pass True or False.")
        if not _whole(memory) or memory < 0:
            raise SpecificationError(f"memory={memory!r}: give a whole number of bytes.")
        for_starts, _, for_training = generator(rng).spawn(3)
        return cls(
            strength,
            training,
            method is not None,
            int(n_starts),
            float(test_share),
            blocked,
            int(memory),
            for_starts,
            int(for_training.integers(2**31)),
            f"rng={rng}" if _whole(rng) else "rng given",
        )


def standardised_blocks(
    read: Callable[[], Iterator[WeightedBlock]], scaling: Scaling, n_obs: int, memory: int
) -> Blocks:
    """Standardised blocks in single precision, kept where they need at most ``memory`` bytes.

    Parameters
    ----------
    read : callable
        Starts a pass over ``endog``, ``exog`` and ``weights``.
    scaling : Scaling
        The standardisation.
    n_obs : int
        Rows.
    memory : int
        Bytes.
    """
    part = scaling
    columns = np.arange(len(scaling.linear) + len(scaling.inputs))
    if scaling.const is not None and set(scaling.inputs) <= set(scaling.linear):
        # regressors that enter both parts are standardised alike and kept once
        part = replace(
            scaling,
            inputs=scaling.inputs[:0],
            input_shift=scaling.input_shift[:0],
            input_scale=scaling.input_scale[:0],
        )
        columns = np.searchsorted(scaling.linear, [*scaling.linear, *scaling.inputs])

    def standardised() -> Iterator[Block]:
        for endog, exog, weights in read():
            rows = part.rows(exog)
            base = empty(*rows.shape)
            base[:] = rows
            target = scaling.target(endog).astype(np.float32)
            yield Rows(base, columns), target, weights.astype(np.float32)

    width = len(part.linear) + len(part.inputs) + 2
    if 4 * width * n_obs > memory:
        return standardised
    kept = list(standardised())
    return lambda: kept


def train(
    network: Network,
    penalty: Penalty,
    start: np.ndarray | None,
    blocks: Blocks,
    settings: StreamSettings,
    progress: bool | None,
) -> Solution:
    """Train from every start, and keep the best."""
    training, best = settings.training, None
    with progress_bar(progress) as report:
        monitor = Monitor(settings.n_starts, report)
        for _ in range(settings.n_starts):
            begin = start
            if isinstance(network, Dense):
                begin = network.init(settings.for_starts)
            assert begin is not None
            trace = fit_stream(
                network,
                blocks,
                penalty,
                Squared(),
                settings.alpha,
                training,
                begin,
                monitor,
                rng=settings.seed,
                blocked=settings.blocked,
            )
            if best is None or _worth(trace, settings) < _worth(best, settings):
                best = trace
    assert best is not None
    params = best.params[-1]
    if isinstance(network, Dense):
        params = network.canonical(params)
    return solution_of(params, best, settings.alpha, training.name)


def _worth(trace: Trace, settings: StreamSettings) -> float:
    """What starts are compared by: the loss on held-out rows, or the objective."""
    if settings.training.held_out:
        return float(trace.history.min())
    return float(trace.loss[-1] + settings.alpha * trace.penalty[-1])


def solution_of(params: np.ndarray, trace: Trace, alpha: float, method: str) -> Solution:
    """A solution from what a solver found."""
    loss, size, relative = (
        float(part[-1]) for part in (trace.loss, trace.penalty, trace.certificate)
    )
    converged = bool(relative < CERTIFIED)
    status = (
        f"Converged: relative gradient norm {relative:.1e} is under {CERTIFIED:.0e}."
        if converged
        else f"{trace.note} Relative gradient norm {relative:.1e}."
    )
    iterations = int(trace.iterations.sum())
    return Solution(
        params,
        alpha,
        loss + alpha * size if size else loss,
        loss,
        size,
        relative,
        converged,
        iterations,
        method,
        status,
        trace.history,
    )


def least_squares_solution(
    network: Dense,
    units: tuple[np.ndarray, np.ndarray],
    classical: LeastSquares | None,
    blocks: Blocks,
    n_obs: int,
    alpha: float,
) -> Solution:
    """The classical model as a solution: exact, with the network at zero.

    Parameters
    ----------
    network : Dense
        The network.
    units : tuple
        ``(T, t)`` such that ``T @ standardised + t`` are parameters in the user's units.
    classical : LeastSquares or None
        Least squares; None without a linear part, where the classical model is the mean.
    blocks, n_obs, alpha
        Standardised data, rows, and the penalty that the solution is reported at.
    """
    params, nl = np.zeros(network.n_params), network.n_linear
    if classical is not None:
        values = params.copy()
        values[:nl] = classical.params
        params = np.linalg.solve(units[0], values - units[1])
        params[nl:] = 0.0
    linear = Dense(nl, 0, (), network.activation)
    unpenalised: Penalty = Ridge(linear.penalised)
    parts = ((np.asarray(rows)[:, :nl], target, weights) for rows, target, weights in blocks())
    loss, _, relative = certificate(linear, Squared(), unpenalised, parts, n_obs, params[:nl], 0.0)
    trace = Trace(
        params[None],
        np.array([loss]),
        np.zeros(1),
        np.array([relative]),
        np.ones(1, dtype=int),
        note="Exact solution of least squares.",
    )
    found = solution_of(params, trace, alpha, "least squares in one pass")
    # blocks are in single precision, and so is the certificate; the QR decomposition is not
    return replace(found, converged=True)


def linear_covariance(
    moments: Moments,
    classical: LeastSquares,
    blocks: Iterable[WeightedBlock],
    spec: CovarianceSpec,
) -> Covariance:
    """Covariance of least squares, in the user's units, from one more pass."""
    # the linear model is a network without hidden layers
    linear = Dense(len(classical.params), 0, (), "tanh")
    scaling = scaling_from(moments, linear_part=True, neural=False)
    unit, mean = scaling.target_scale, moments.weight_sum / moments.n_obs
    parts = (
        (scaling.rows(exog), (endog - exog @ classical.params) / unit, weights / mean)
        for endog, exog, weights in blocks
    )
    sums = curvature_sums(linear, np.zeros(linear.n_params), parts)
    middle = bread_of(sums.gram, np.zeros(linear.n_params))
    ssr = classical.rss / mean / unit**2
    found = covariance_of(sums, middle, spec.kind, moments.n_obs, ssr, spec.use_t)
    transform, _ = linear.user_units(
        scaling.linear_shift,
        scaling.linear_scale,
        scaling.const,
        scaling.input_shift,
        scaling.input_scale,
        scaling.target_shift,
        unit,
    )
    return replace(found, matrix=transform @ found.matrix @ transform.T)


def _whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
