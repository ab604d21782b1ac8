"""Rows of a stream that are set apart to test on, the same ones in every pass."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from nnecon.data.stream_design import WeightedBlock

MarkedBlock = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True)
class Split:
    """Which rows are for testing; it depends on their number in the stream, not on the chunks.

    Attributes
    ----------
    share : float
        Share of the rows to set apart, zero for none.
    seed : int
        Seed of the draw.
    blocked : bool
        Whether the last rows are taken instead of random ones.
    n_obs : int
        Rows in all.

    Examples
    --------
    >>> take = Split(0.25, seed=0, blocked=True, n_obs=4).marks()
    >>> take(3).tolist(), take(1).tolist()
    ([False, False, False], [True])
    """

    share: float
    seed: int
    blocked: bool
    n_obs: int

    def marks(self) -> Callable[[int], np.ndarray]:
        """Start a pass: a function that says of the next ``m`` rows which are for testing."""
        generator = np.random.default_rng([self.seed, 2])
        seen, first = 0, self.n_obs - round(self.share * self.n_obs)

        def take(m: int) -> np.ndarray:
            nonlocal seen
            if self.share == 0.0:
                return np.zeros(m, dtype=bool)
            if not self.blocked:
                return generator.random(m) < self.share
            seen += m
            return np.arange(seen - m, seen) >= first

        return take

    def marked(self, blocks: Iterable[WeightedBlock]) -> Iterator[MarkedBlock]:
        """Blocks, and which of their rows are for testing."""
        take = self.marks()
        for endog, exog, weights in blocks:
            yield endog, exog, weights, take(len(endog))

    def training(self, blocks: Iterable[WeightedBlock]) -> Iterator[WeightedBlock]:
        """Blocks of the other rows, at least one each."""
        for *block, test in self.marked(blocks):
            endog, exog, weights = block if not test.any() else (part[~test] for part in block)
            if len(endog):
                yield endog, exog, weights
