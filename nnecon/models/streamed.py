"""Neural regression on more rows than memory holds."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from nnecon.estimation.blockwise import Block, certificate
from nnecon.estimation.execution import Monitor
from nnecon.estimation.kernels import CERTIFIED
from nnecon.estimation.losses import Squared
from nnecon.estimation.penalties import Ridge
from nnecon.estimation.problem import Solution, Trace
from nnecon.estimation.rows import Rows, empty
from nnecon.estimation.solvers.minibatch_steps import check
from nnecon.estimation.solvers.stream import fit_stream
from nnecon.estimation.training import Adam, Training
from nnecon.exceptions import DataError, SpecificationError
from nnecon.inference.covariance import Covariance
from nnecon.inference.streamed import bread_of, covariance_of, curvature_sums, fitted_rows
from nnecon.inference.streamed_fit import FitNumbers, fit_numbers
from nnecon.models.feedforward import FeedForward
from nnecon.models.progress import progress_bar
from nnecon.models.settings import TRAININGS, generator, read_alpha
from nnecon.nets import Dense
from nnecon.results.base import CovarianceSpec
from nnecon.results.streamed import (
    StreamedEstimate,
    StreamedRegressionResults,
    check_kind,
)
from nnecon.results.streamed_baseline import StreamedOLS

KEPT = 2**28
"""Bytes of standardised data that are kept between epochs where the user does not say: 256 MB."""


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
        design = MovingDesign.from_formula(
            formula, stream, subset=subset, drop_cols=drop_cols, missing=missing,
            weights=weights, env=names, progress=progress,
        )  # fmt: skip
        return cls(design, **specification)

    def _specify(self, design: Any, /, **specification: Any) -> Mapping[str, Any]:
        columns = np.empty((0, len(design.exog_names)))
        return super()._specify(_Shape(_Columns(columns, design.const_index)), **specification)

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
    def penalty(self) -> Ridge:
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

    def _blocks(
        self, split: Split, scaling: Scaling, n_obs: int, memory: int
    ) -> Callable[[], Iterable[Block]]:
        """Standardised blocks in single precision, kept in memory where they have room."""
        twice = scaling.const is not None and len(scaling.linear) == len(self.exog_names)
        if twice:
            # regressors that enter both parts are standardised alike and kept once
            part = replace(scaling, inputs=scaling.inputs[:0], input_shift=np.zeros(0),
                           input_scale=np.ones(0))  # fmt: skip
            columns = np.concatenate([scaling.linear, scaling.inputs])
        else:
            part = scaling
            columns = np.arange(len(scaling.linear) + len(scaling.inputs))

        def read() -> Iterator[Block]:
            for endog, exog, weights in self.training_blocks(split):
                rows = part.rows(exog)
                base = empty(*rows.shape)
                base[:] = rows
                target = scaling.target(endog).astype(np.float32)
                yield Rows(base, columns), target, weights.astype(np.float32)

        width = len(part.linear) + len(part.inputs) + 2
        if 4 * width * n_obs > memory:
            return read
        kept = list(read())
        return lambda: kept

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
        strength, training = self._read(alpha, method, n_starts, test_share, blocked, memory)
        spec = CovarianceSpec(cov_type, {}, use_t)
        check_kind(spec)
        for_starts, _, for_training = generator(rng).spawn(3)
        seed = int(for_training.integers(2**31))
        split = Split(float(test_share), seed, blocked, self.design.n_obs)
        moments, classical = self._moments(split)
        scaling = self._scaling(moments)
        exact = np.isinf(strength) or (method is None and self.nested and not self.has_network)
        blocks = self._blocks(split, scaling, moments.n_obs, memory)
        said = f"rng={rng}" if _whole(rng) else "rng given"
        facts = {"alpha": strength, "n_starts": int(n_starts), "rng": said}
        if exact:
            solution = self._least_squares(scaling, blocks, moments.n_obs, classical, strength)
            facts |= {"method": solution.method}
            rule, search = "the user" if self.has_network else "no network", "exact solution"
        else:
            solution = self._train(
                strength, training, n_starts, for_starts, seed, blocked, blocks, progress
            )
            facts |= {"method": training.name}
            rule = "the user" if self.nested else "no penalty"
            starts = f"{n_starts} starts" if n_starts > 1 else "1 start"
            search = f"{starts}, {said}" if self.nested else "start_params"
        return self._results(
            solution, scaling, moments, classical, split, spec, rule, search, facts
        )

    def _read(
        self, alpha: Any, method: Any, n_starts: Any, test_share: Any, blocked: Any, memory: Any
    ) -> tuple[float, Training]:
        """Check the arguments of ``fit``."""
        strength = read_alpha(alpha)
        if isinstance(strength, str):
            raise SpecificationError(
                f"alpha={alpha!r} needs cross-validation, which would train once a fold and "
                "penalty; on a stream pass a number, fit with several of them and test_share=0.1, "
                "and take the one with the least Test RMSE in compare()."
            )
        training = Adam() if method is None else TRAININGS.get(method, method)
        if not isinstance(training, Training):
            raise SpecificationError(
                f"method={method!r}: a stream is trained on in mini-batches; pass "
                "nnecon.Adam(...) or nnecon.SGD(...)."
            )
        check(self.network, training)
        if not _whole(n_starts) or n_starts < 1:
            raise SpecificationError(f"n_starts={n_starts!r}: give a whole number of at least 1.")
        if not self.nested and (strength != 0.0 or n_starts != 1):
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
        return strength, training

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

    def _least_squares(
        self,
        scaling: Scaling,
        blocks: Callable[[], Iterable[Block]],
        n_obs: int,
        classical: LeastSquares,
        alpha: float,
    ) -> Solution:
        """The classical model as a solution: exact, with the network at zero."""
        params = np.zeros(self.network.n_params)
        if self.specification.linear_part:
            values = params.copy()
            values[: len(scaling.linear)] = classical.params
            transform, offset = self.user_units(scaling)
            params = np.linalg.solve(transform, values - offset)
            params[len(scaling.linear) :] = 0.0
        network = Dense(len(scaling.linear), 0, (), "tanh")
        linear = params[: network.n_params]
        parts = (
            (np.asarray(rows)[:, : network.n_params], target, weights)
            for rows, target, weights in blocks()
        )
        loss, _, relative = certificate(
            network, Squared(), Ridge(np.zeros(network.n_params)), parts, n_obs, linear, 0.0
        )
        status = f"Exact solution: relative gradient norm {relative:.1e}."
        return Solution(
            params, alpha, loss, loss, 0.0, relative, True, 1, "least squares in one pass", status
        )

    def _train(
        self,
        alpha: float,
        training: Training,
        n_starts: int,
        for_starts: np.random.Generator,
        seed: int,
        blocked: bool,
        blocks: Callable[[], Iterable[Block]],
        progress: bool | None,
    ) -> Solution:
        best: Trace | None = None
        with progress_bar(progress) as report:
            monitor = Monitor(n_starts, report)
            for _ in range(n_starts):
                given = self.specification.start
                start = self.network.init(for_starts) if given is None else given
                trace = fit_stream(
                    self.network, blocks, self.penalty, Squared(), alpha, training, start,
                    monitor, rng=seed, blocked=blocked,
                )  # fmt: skip
                if best is None or _worth(trace, alpha, training) < _worth(best, alpha, training):
                    best = trace
        assert best is not None
        params = best.params[-1]
        if isinstance(self.network, Dense):
            params = self.network.canonical(params)
        return _solution(params, best, alpha, training.name)

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
        blocks = self._blocks(split, scaling, moments.n_obs, 0)
        loss, size, relative = certificate(
            self.network, Squared(), self.penalty, blocks(), moments.n_obs, standardised, alpha
        )
        trace = Trace(
            standardised[None], np.array([loss]), np.array([size]), np.array([relative]),
            np.zeros(1, dtype=int), note="Parameters as given.",
        )  # fmt: skip
        solution = _solution(standardised, trace, float(alpha), "none (given parameters)")
        return self._results(
            solution, scaling, moments, classical, split, spec, "the user", "given parameters", {}
        )

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
        found = self._results(
            solution, scaling, moments, classical, split, spec,
            facts["alpha_rule"], facts["search"], facts["facts"],
        )  # fmt: skip
        scale = scaling.target_scale**2 * moments.weight_sum
        loss = 0.5 * found.ssr / scale
        if not np.isclose(loss, solution.loss, rtol=1e-4, atol=1e-10):
            raise SpecificationError(
                f"the saved estimate does not fit its data any more (mean loss {loss:.6g} instead "
                f"of {solution.loss:.6g}): are these the data and functions that the model was "
                "built with?"
            )
        return found

    def _results(
        self,
        solution: Solution,
        scaling: Scaling,
        moments: Moments,
        classical: LeastSquares,
        split: Split,
        spec: CovarianceSpec,
        rule: str,
        search: str,
        facts: dict[str, Any],
    ) -> StreamedRegressionResults:
        numbers = self._numbers(solution.params, scaling, classical, split)
        baseline = self._streamed_baseline(classical, moments, split, spec, numbers.log_weights)
        estimate = StreamedEstimate(
            solution, scaling, moments, numbers, split, rule, search, baseline, facts
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

        def covariance() -> Covariance:
            # the linear model is a network without hidden layers
            linear = Dense(len(classical.params), 0, (), "tanh")
            scaling = scaling_from(moments, linear_part=True, neural=False)
            unit, mean = scaling.target_scale, moments.weight_sum / moments.n_obs
            blocks = (
                (scaling.rows(exog), (endog - exog @ classical.params) / unit, weights / mean)
                for endog, exog, weights in self.training_blocks(split)
            )
            sums = curvature_sums(linear, np.zeros(linear.n_params), blocks)
            middle = bread_of(sums.gram, np.zeros(linear.n_params))
            ssr = classical.rss / mean / unit**2
            found = covariance_of(sums, middle, spec.kind, moments.n_obs, ssr, spec.use_t)
            transform = linear.user_units(
                scaling.linear_shift, scaling.linear_scale, scaling.const, np.zeros(0),
                np.ones(0), scaling.target_shift, unit,
            )[0]  # fmt: skip
            return replace(found, matrix=transform @ found.matrix @ transform.T)

        return StreamedOLS(
            classical,
            tuple(self.exog_names),
            self.endog_names,
            self.weighted,
            int(constant),
            total_sum_of_squares(moments, constant),
            log_weights,
            covariance,
        )


def _solution(params: np.ndarray, trace: Trace, alpha: float, method: str) -> Solution:
    loss, size, relative = (
        float(part[-1]) for part in (trace.loss, trace.penalty, trace.certificate)
    )
    converged = bool(relative < CERTIFIED)
    status = (
        f"Converged: relative gradient norm {relative:.1e} is under {CERTIFIED:.0e}."
        if converged
        else f"{trace.note} Relative gradient norm {relative:.1e}."
    )
    return Solution(
        params, alpha, loss + alpha * size, loss, size, relative, converged,
        int(trace.iterations.sum()), method, status, trace.history,
    )  # fmt: skip


def _worth(trace: Trace, alpha: float, training: Training) -> float:
    """What starts are compared by: the loss on held-out rows, or the objective."""
    if training.held_out:
        return float(trace.history.min())
    return float(trace.loss[-1] + alpha * trace.penalty[-1])


def _whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
