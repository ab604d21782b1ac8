"""Neural regression on more rows than memory holds."""

from typing import Any

import numpy as np

from nnecon.data.stream_split import Split
from nnecon.estimation.training import Training
from nnecon.models.streamed_solutions import StreamedSolutions
from nnecon.models.streamed_training import (
    KEPT,
    StreamSettings,
    least_squares_solution,
    standardised_blocks,
    train,
)
from nnecon.nets import Dense
from nnecon.results.base import CovarianceSpec
from nnecon.results.streamed import StreamedRegressionResults
from nnecon.results.streamed_numbers import check_kind


class StreamedRegression(StreamedSolutions):
    """:class:`~nnecon.NeuralRegression` on a stream: trained in mini-batches, read in chunks.

    The model is the same and so are its arguments. Made by
    ``NeuralRegression.from_parquet(path, formula)`` and
    ``NeuralRegression.from_formula(formula, stream)``. Building it reads the data two or three
    times, to learn the types and categories of the whole and to check every row.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from nnecon.data.stream import Stream
    >>> from nnecon.estimation.training import Adam
    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame({"x": rng.normal(size=3000), "z": rng.normal(size=3000)})
    >>> frame["y"] = np.sin(2 * frame["x"]) + frame["z"] + 0.3 * rng.normal(size=3000)
    >>> stream = Stream.of(frame, chunk_rows=1000)
    >>> model = StreamedRegression.from_formula("y ~ x + z", stream, hidden=(8,))
    >>> results = model.fit(method=Adam(learning_rate=0.01, epochs=30, schedule="cosine"))
    >>> bool(results.rsquared > results.baseline.rsquared)
    True
    """

    def fit(
        self,
        alpha: float = 0.0,
        *,
        method: str | Training | None = None,
        n_starts: int = 1,
        test_share: float = 0.0,
        blocked: bool = False,
        rng: int | np.random.Generator = 0,
        cov_type: str = "HC1",
        use_t: bool | None = None,
        memory: int = KEPT,
        progress: bool | None = None,
    ) -> StreamedRegressionResults:
        """Train in mini-batches.

        Parameters
        ----------
        alpha : float
            Penalty of the network; ``inf`` is least squares, which is found exactly. There is no
            cross-validation on streams.
        method : {"adam", "sgd"}, nnecon.Adam or nnecon.SGD, optional
            How to train; ``Adam()`` by default.
        n_starts : int
            Random starts, trained one after the other; the best in the sample or, with early
            stopping, on the rows held out counts.
        test_share : float
            Share of the rows that neither network nor classical model is estimated on and
            ``compare()`` tests both on; zero for none.
        blocked : bool
            Whether rows are in order of time: the last ones are then set apart or held out.
        rng : int or numpy.random.Generator
            Seed of starts, shuffles and rows set apart.
        cov_type : {"HC1", "HC0", "nonrobust"}
            Covariance.
        use_t : bool, optional
            t instead of normal distribution; by default for "nonrobust" only.
        memory : int
            Bytes that the standardised data may take in memory, in single precision. Where they
            take more, the stream is read once in every epoch, and rows are shuffled in a buffer
            instead of across the data.
        progress : bool, optional
            Whether to show a progress bar; by default after two seconds, in a terminal.

        Returns
        -------
        StreamedRegressionResults

        Raises
        ------
        SpecificationError
            Options that contradict each other or that a stream does not allow.
        DataError
            Columns that do not vary or are combinations of others.
        """
        settings = StreamSettings.check(
            self.network, alpha, method, n_starts, test_share, blocked, rng, memory
        )
        spec = CovarianceSpec(cov_type, {}, use_t)
        check_kind(spec)
        split = Split(settings.test_share, settings.seed, blocked, self.design.n_obs)
        moments, classical = self._moments(split)
        scaling = self._scaling(moments)
        blocks = standardised_blocks(
            lambda: self.training_blocks(split), scaling, moments.n_obs, settings.memory
        )
        facts: dict[str, Any] = {
            "alpha": settings.alpha,
            "n_starts": settings.n_starts,
            "rng": settings.said,
        }
        network = self.network
        linear = isinstance(network, Dense) and not (self.has_network or settings.given)
        if isinstance(network, Dense) and (linear or np.isinf(settings.alpha)):
            solution = least_squares_solution(
                network,
                self.user_units(scaling),
                classical if self.specification.linear_part else None,
                blocks,
                moments.n_obs,
                settings.alpha,
            )
            facts |= {"method": solution.method}
            rule, search = "the user" if self.has_network else "no network", "exact solution"
        else:
            start = self.specification.start
            solution = train(network, self.penalty, start, blocks, settings, progress)
            facts |= {"method": repr(method), "early_stopping": settings.training.held_out}
            starts = "1 start" if settings.n_starts == 1 else f"{settings.n_starts} starts"
            rule = "the user" if self.nested else "no penalty"
            search = f"{starts}, {settings.said}" if self.nested else "start_params"
        about = {"alpha_rule": rule, "search": search, "facts": facts}
        return self._results(solution, scaling, moments, classical, split, spec, about)
