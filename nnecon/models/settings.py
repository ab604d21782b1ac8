"""The arguments of ``fit``, read and checked before anything is estimated."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from nnecon.estimation.estimate import Solver, choose_solver
from nnecon.estimation.penalties import check_share
from nnecon.estimation.random_numbers import generator
from nnecon.estimation.solvers.minibatch import solver_for
from nnecon.estimation.training import SGD, Adam, Training
from nnecon.exceptions import SpecificationError
from nnecon.nets import Dense, Network

RULES = {
    "cv": "cross-validation",
    "1se": "one-standard-error rule",
    "evidence": "evidence",
}
"""Ways to choose the penalty, as the summary calls them."""


TRAININGS: dict[str | Training, Training] = {"adam": Adam(), "sgd": SGD()}

LARGE = 500_000_000
"""Rows times parameters beyond which a model is estimated on a stream."""


@dataclass(frozen=True, slots=True, eq=False)
class Settings:
    """How a model is to be estimated.

    ``alpha`` is a number or one of :data:`RULES`; ``alphas`` the grid or its size; ``L1_wt`` and
    ``group_inputs`` say which penalty; ``n_starts`` and ``ensemble`` how many networks are tried
    and averaged; ``for_starts``, ``for_folds`` and ``for_training`` are random streams of their
    own, so that the folds do not depend on the network; ``seed`` is ``rng`` in words.
    """

    alpha: float | str
    alphas: int | np.ndarray
    L1_wt: float
    group_inputs: bool
    n_starts: int
    ensemble: int
    method: str | Training
    for_starts: np.random.Generator
    for_folds: np.random.Generator
    for_training: int
    seed: str

    @classmethod
    def check(
        cls,
        alpha: float | str,
        alphas: int | Sequence[float],
        L1_wt: float,
        group_inputs: bool,
        n_starts: int,
        ensemble: int,
        method: str | Training,
        rng: int | np.random.Generator,
    ) -> "Settings":
        """Read the arguments of ``fit``."""
        rule, grid = read_alpha(alpha), read_alphas(alphas)
        check_share(L1_wt)
        share = float(L1_wt)
        if group_inputs and share == 0.0:
            raise SpecificationError(
                "group_inputs=True drops variables through the L1 share of the penalty, which is "
                "zero; give L1_wt a value up to 1 as well."
            )
        if rule == "evidence" and share > 0.0:
            raise SpecificationError(
                "alpha='evidence' is defined for squared penalties; use L1_wt=0 or alpha='cv'."
            )
        counts = {"n_starts": n_starts, "ensemble": ensemble}
        for name, count in counts.items():
            whole = isinstance(count, int | np.integer) and not isinstance(count, bool)
            if not whole or count < 1:
                raise SpecificationError(f"{name}={count!r}: give a whole number of at least 1.")
        if ensemble > n_starts:
            raise SpecificationError(
                f"ensemble={ensemble} averages the best of n_starts={n_starts} networks; give at "
                "least as many starts."
            )
        if not isinstance(method, str | Training):
            raise SpecificationError(
                f"method={method!r}: give the name of a method, ne.Adam(...) or ne.SGD(...)."
            )
        for_starts, for_folds, for_training = generator(rng).spawn(3)
        return cls(
            rule,
            grid,
            share,
            bool(group_inputs),
            int(n_starts),
            int(ensemble),
            method,
            for_starts,
            for_folds,
            int(for_training.integers(2**31)),
            f"rng={rng}" if isinstance(rng, int | np.integer) else "rng given",
        )

    def solver(self, n_obs: int, network: Network, *, time_series: bool) -> Solver:
        """Algorithm for a problem of this size."""
        smooth, n_params = self.L1_wt == 0.0, network.n_params
        if n_obs * n_params > LARGE:
            raise SpecificationError(
                f"{n_obs:,} rows and {n_params:,} parameters are too many to hold in memory what a "
                "path needs; estimate on a stream of the same frame, chunk by chunk: "
                "from_formula(formula, nnecon.Stream.of(frame))."
            )
        method = TRAININGS.get(self.method, self.method) if smooth else self.method
        if isinstance(method, Training):
            if self.alpha == "evidence":
                raise SpecificationError(
                    "alpha='evidence' expands the likelihood around a minimum, which mini-batches "
                    "only come near to; use method='auto', or alpha='cv'."
                )
            return solver_for(method, self.for_training, time_series)
        shallow = isinstance(network, Dense) and len(network.hidden) == 1
        return choose_solver(method, n_obs, n_params, smooth=smooth, shallow=shallow)

    @property
    def rule(self) -> str:
        """How the penalty is chosen, as a phrase for the summary."""
        return RULES.get(str(self.alpha), "the user")

    @property
    def facts(self) -> dict[str, Any]:
        """What a file and a refit have to know."""
        method = self.method if isinstance(self.method, str) else repr(self.method)
        return {
            "alpha": self.alpha,
            "alphas": self.alphas if isinstance(self.alphas, int) else self.alphas.tolist(),
            "L1_wt": self.L1_wt,
            "group_inputs": self.group_inputs,
            "n_starts": self.n_starts,
            "ensemble": self.ensemble,
            "rng": self.seed,
            "method": method,
        }


def read_alpha(alpha: float | str) -> float | str:
    """Check the penalty of ``fit``: a number from 0 to infinity, or how to choose one."""
    if isinstance(alpha, str) and alpha in RULES:
        return alpha
    if not isinstance(alpha, Real) or isinstance(alpha, bool) or not alpha >= 0:
        raise SpecificationError(
            f"alpha={alpha!r}: give a penalty from 0 to inf (inf is the classical model), "
            "'cv' for the least cross-validated error, '1se' for the one-standard-error rule or "
            "'evidence' for the largest marginal likelihood."
        )
    return float(alpha)


def read_alphas(alphas: int | Sequence[float]) -> int | np.ndarray:
    """Check the grid of ``fit``: how many penalties, or the penalties."""
    if isinstance(alphas, int | np.integer) and not isinstance(alphas, bool) and alphas >= 1:
        return int(alphas)
    try:
        given = np.asarray(alphas, dtype=float)
    except (TypeError, ValueError):
        given = np.zeros(())
    grid = np.unique(given[~np.isposinf(given)])[::-1]
    if given.ndim != 1 or not len(grid) or not (grid > 0).all():
        raise SpecificationError(
            f"alphas={alphas!r}: give the number of penalties, or the penalties themselves, "
            "all positive."
        )
    return grid
