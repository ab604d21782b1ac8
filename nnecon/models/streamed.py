"""Neural regression on more rows than memory holds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple, NoReturn, Self

import numpy as np

from nnecon.data.design import caller_namespace
from nnecon.data.scaling import Scaling
from nnecon.data.stream import CHUNK_ROWS, Stream
from nnecon.data.stream_design import WeightedBlock
from nnecon.data.stream_moments import LeastSquares, Moments, moments_of
from nnecon.data.stream_regressors import MovingDesign
from nnecon.data.stream_scaling import scaling_from, spans_constant, total_sum_of_squares
from nnecon.data.stream_split import Split
from nnecon.estimation.blockwise import certificate
from nnecon.estimation.losses import Squared
from nnecon.estimation.penalties import Penalty, Ridge
from nnecon.estimation.problem import Solution, Trace
from nnecon.estimation.training import Training
from nnecon.exceptions import DataError, SpecificationError
from nnecon.inference.streamed import fitted_rows
from nnecon.inference.streamed_fit import FitNumbers, fit_numbers
from nnecon.models.feedforward import FeedForward
from nnecon.models.streamed_training import (
    KEPT,
    StreamSettings,
    least_squares_solution,
    linear_covariance,
    solution_of,
    standardised_blocks,
    train,
)
from nnecon.nets import Dense
from nnecon.results.base import CovarianceSpec
from nnecon.results.streamed import StreamedEstimate, StreamedRegressionResults, check_kind
from nnecon.results.streamed_baseline import StreamedOLS


class _Columns(NamedTuple):
    """What a specification asks of the columns of a design."""

    exog: np.ndarray
    const_index: int | None


class _Shape(NamedTuple):
    sample: _Columns


class StreamedRegression(FeedForward):
    """:class:`~nnecon.NeuralRegression` on a stream: trained in mini-batches, read in chunks.

    The model is the same and so are its arguments. Made by
    ``NeuralRegression.from_parquet(path, formula)`` and
    ``NeuralRegression.from_formula(formula, stream)``. Building it reads the data two or three
    times, to learn the types and categories of the whole and to check every row.

    Examples
    --------
    >>> import numpy as np, pandas as pd
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

    # a StreamDesign instead of a Design: names and new rows, no sample
    design: Any
    results_class = StreamedRegressionResults

    def __init__(self, design: MovingDesign, **specification: Any) -> None:
        self.__dict__.update(
            design=design,
            weighted=design.weights is not None,
            **self._specify(design, **specification),
        )

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: Any,
        subset: Any = None,
        drop_cols: Sequence[str] | None = None,
        *,
        missing: str = "drop",
        weights: Any = None,
        progress: bool = False,
        **specification: Any,
    ) -> Self:
        """Build the model from a formula and a stream.

        Parameters
        ----------
        formula : str
            As for a frame, but for ``lag``, ``diff`` and ``dlog``, which reach over chunks.
        data : Stream, path, DataFrame, callable or list of DataFrame
            The rows; what is no :class:`~nnecon.Stream` is made one.
        subset : str, optional
            A condition such as ``"year >= 1985"``.
        drop_cols : sequence of str, optional
            Columns of the design to leave out.
        missing : {"drop", "raise"}
            What to do about rows with missing values.
        weights : str, optional
            Column of the observation weights.
        progress : bool
            Show a progress bar for every pass over the data.
        **specification
            ``hidden``, ``activation``, ``linear_part``, ``network`` and ``start_params`` as in
            :class:`~nnecon.NeuralRegression`.
        """
        return cls.over(
            formula, Stream.of(data), caller_namespace(0), subset=subset, drop_cols=drop_cols,
            missing=missing, weights=weights, progress=progress, **specification,
        )  # fmt: skip

    @classmethod
    def from_parquet(
        cls,
        path: Any,
        formula: str,
        *,
        chunk_rows: int = CHUNK_ROWS,
        **options: Any,
    ) -> Self:
        """Build the model from a Parquet file, which is never read as a whole.

        Parameters
        ----------
        path : str or Path
            The file; ``.csv`` and ``.tsv`` files are read in the same way.
        formula : str
            As in :meth:`from_formula`.
        chunk_rows : int
            Rows that are read at a time.
        **options
            As in :meth:`from_formula`.
        """
        return cls.over(formula, Stream.of(path, chunk_rows), caller_namespace(0), **options)

    @classmethod
    def over(
        cls,
        formula: str,
        stream: Stream,
        names: Mapping[str, Any],
        *,
        subset: Any = None,
        drop_cols: Sequence[str] | None = None,
        missing: str = "drop",
        weights: Any = None,
        progress: bool = False,
        **specification: Any,
    ) -> Self:
        """As :meth:`from_formula`, where ``names`` are what the formula may call."""
        design: Any = MovingDesign.from_formula(
            formula, stream, subset=subset, drop_cols=drop_cols, missing=missing,
            weights=weights, env=names, progress=progress,
        )  # fmt: skip
        return cls(design, **specification)

    def _specify(self, design: Any, /, **specification: Any) -> Mapping[str, Any]:
        columns = np.empty((0, len(design.exog_names)))
        shape: Any = _Shape(_Columns(columns, design.const_index))
        return super()._specify(shape, **specification)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What a file has to hold, beside the data, to build the model again."""
        described, arrays = self.specification.state()
        meta = {
            "class": type(self).__name__,
            "design": self.design.state(),
            "specification": described,
        }
        return meta, arrays

    # -- data -------------------------------------------------------------------------------------

    def _not_held(self, what: str) -> NoReturn:
        raise SpecificationError(
            f"{what} of a stream is not held in memory; read it in chunks with "
            "model.design.weighted_blocks(), which gives (endog, exog, weights)."
        )

    @property
    def endog(self) -> np.ndarray:
        """Not held: an error that says what to do instead."""
        self._not_held("endog")

    @property
    def exog(self) -> np.ndarray:
        """Not held: an error that says what to do instead."""
        self._not_held("exog")

    @property
    def endog_names(self) -> str:
        """Name of the dependent variable."""
        return self.design.endog_name

    @property
    def exog_names(self) -> list[str]:
        """Names of the design columns."""
        return list(self.design.exog_names)

    @property
    def is_time_series(self) -> bool:
        """Streams have no dates; pass ``blocked=True`` to ``fit`` where rows are in order."""
        return False

    @cached_property
    def k_constant(self) -> int:
        """One where the model spans a constant, explicitly or through dummies."""
        if not isinstance(self.network, Dense) or self.design.const_index is not None:
            return 1
        return int(spans_constant(self.design.moments))

    @property
    def scaling(self) -> Scaling:
        """Standardisation by the moments of all rows."""
        return self._scaling(self.design.moments)

    @property
    def penalty(self) -> Penalty:
        """What the network is penalised by."""
        return Ridge(self.network.penalised)

    def training_blocks(self, split: Split) -> Iterator[WeightedBlock]:
        """Read the rows of the estimation once more: ``endog``, ``exog`` and ``weights``."""
        return split.training(self.design.weighted_blocks())

    def _scaling(self, moments: Moments) -> Scaling:
        if not isinstance(self.network, Dense):
            return Scaling.identity(len(self.exog_names))
        linear = self.specification.linear_part
        return scaling_from(moments, linear, bool(self.network.hidden))

    # -- estimation -------------------------------------------------------------------------------

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

    def _moments(self, split: Split) -> tuple[Moments, LeastSquares]:
        """Moments of the rows of the estimation, and least squares on them."""
        moments = self.design.moments
        if split.share:
            moments = moments_of(self.training_blocks(split), self.design.const_index)
            if moments.n_obs == self.design.n_obs:
                raise SpecificationError(
                    f"test_share={split.share:g} sets no row of {moments.n_obs} apart."
                )
        size = np.hypot(moments.endog_mean, moments.endog_std)
        spread = moments.endog_std if self.k_constant else size
        if spread <= 1e-14 * size or size == 0.0:
            raise DataError(
                f"the dependent variable '{self.endog_names}' does not vary: it is "
                f"{moments.endog_mean:g} in all {moments.n_obs} rows, and there is nothing to "
                "explain."
            )
        return moments, moments.least_squares(self.exog_names)

    # -- results ----------------------------------------------------------------------------------

    def results_at(
        self,
        params: Any,
        alpha: float = 0.0,
        *,
        cov_type: str | None = None,
        cov_kwds: Mapping[str, Any] | None = None,
        use_t: bool | None = None,
    ) -> StreamedRegressionResults:
        """Results at any parameter vector, in the user's units, without estimating.

        Parameters
        ----------
        params : array_like of shape (k,)
            Parameters, in the order of ``param_names``.
        alpha : float
            Penalty that the covariance and effective degrees of freedom take into account.
        cov_type, use_t
            As in :meth:`fit`.
        cov_kwds : mapping, optional
            Options of the covariance; the kinds for streams take none.
        """
        values = np.asarray(params, dtype=float)
        if values.shape != (self.network.n_params,) or not np.isfinite(values).all():
            raise SpecificationError(
                f"params: give {self.network.n_params} finite numbers, in the order of param_names."
            )
        spec = CovarianceSpec(cov_type or "HC1", dict(cov_kwds or {}), use_t)
        check_kind(spec)
        split = Split(0.0, 0, False, self.design.n_obs)
        moments, classical = self._moments(split)
        scaling = self._scaling(moments)
        transform, offset = self.user_units(scaling)
        standardised = np.linalg.solve(transform, values - offset)
        blocks = standardised_blocks(
            lambda: self.training_blocks(split), scaling, moments.n_obs, memory=0
        )
        loss, size, relative = certificate(
            self.network, Squared(), self.penalty, blocks(), moments.n_obs, standardised, alpha
        )
        trace = Trace(
            standardised[None], np.array([loss]), np.array([size]), np.array([relative]),
            np.zeros(1, dtype=int), note="Parameters as given.",
        )  # fmt: skip
        solution = solution_of(standardised, trace, float(alpha), "none (given parameters)")
        about = {"alpha_rule": "the user", "search": "given parameters", "facts": {}}
        return self._results(solution, scaling, moments, classical, split, spec, about)

    def results_from(
        self, estimate: StreamedEstimate, spec: CovarianceSpec
    ) -> StreamedRegressionResults:
        """Results from an estimate, with the covariance asked for."""
        split, moments = estimate.split, estimate.moments
        log_weights = estimate.numbers.log_weights
        classical = moments.least_squares(self.exog_names)
        baseline = self._streamed_baseline(classical, moments, split, spec, log_weights)
        return StreamedRegressionResults(self, replace(estimate, baseline=baseline), spec)

    def restore(self, solution: Solution, spec: CovarianceSpec, **facts: Any) -> Any:
        """Results from a solution that was estimated before, as :func:`nnecon.load` needs them."""
        split = facts.pop("split")
        moments, classical = self._moments(split)
        scaling = self._scaling(moments)
        found = self._results(solution, scaling, moments, classical, split, spec, facts)
        scale = scaling.target_scale**2 * moments.weight_sum
        loss = 0.5 * found.ssr / scale
        if not np.isclose(loss, solution.loss, rtol=1e-4, atol=1e-10):
            raise SpecificationError(
                f"the saved estimate does not fit its data any more (mean loss {loss:.6g} instead "
                f"of {solution.loss:.6g}): are these the data and functions that the model was "
                "built with?"
            )
        return found

    @classmethod
    def load(
        cls,
        meta: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray],
        specification: Mapping[str, Any],
        data: Any = None,
        functions: Mapping[str, Any] | None = None,
    ) -> StreamedRegressionResults:
        """Results that ``save`` wrote, on the data as they are now.

        Parameters
        ----------
        meta, arrays
            What the file holds.
        specification : mapping
            Arguments of the model's constructor.
        data : Stream, path, DataFrame, callable or list of DataFrame, optional
            The data; by default the file that they came from.
        functions : mapping, optional
            Functions of yours that the formula calls, by name.
        """
        design = MovingDesign.from_state(meta["model"]["design"], data, functions)
        cov = meta["cov"]
        solution = Solution(params=arrays["params"], history=arrays["history"], **meta["solution"])
        about = {name: meta[name] for name in ("alpha_rule", "search", "facts")}
        return cls(design, **specification).restore(
            solution,
            CovarianceSpec(cov["kind"], cov["options"], cov["use_t"]),
            split=Split(**meta["split"]),
            **about,
        )

    def _results(
        self,
        solution: Solution,
        scaling: Scaling,
        moments: Moments,
        classical: LeastSquares,
        split: Split,
        spec: CovarianceSpec,
        about: Mapping[str, Any],
    ) -> StreamedRegressionResults:
        numbers = self._numbers(solution.params, scaling, classical, split)
        baseline = self._streamed_baseline(classical, moments, split, spec, numbers.log_weights)
        estimate = StreamedEstimate(
            solution, scaling, moments, numbers, split, baseline=baseline, **about
        )
        return StreamedRegressionResults(self, estimate, spec)

    def _numbers(
        self, params: np.ndarray, scaling: Scaling, classical: LeastSquares, split: Split
    ) -> FitNumbers:
        def network(exog: np.ndarray) -> np.ndarray:
            return scaling.restore(fitted_rows(self.network, params, scaling.rows(exog)))

        return fit_numbers(
            split.marked(self.design.weighted_blocks()),
            network,
            lambda exog: exog @ classical.params,
            float(np.sqrt(classical.tss / (classical.df_resid + len(classical.params)))),
        )

    def _streamed_baseline(
        self,
        classical: LeastSquares,
        moments: Moments,
        split: Split,
        spec: CovarianceSpec,
        log_weights: float,
    ) -> StreamedOLS:
        constant = spans_constant(moments)

        return StreamedOLS(
            classical,
            tuple(self.exog_names),
            self.endog_names,
            self.weighted,
            int(constant),
            total_sum_of_squares(moments, constant),
            log_weights,
            lambda: linear_covariance(moments, classical, self.training_blocks(split), spec),
        )
