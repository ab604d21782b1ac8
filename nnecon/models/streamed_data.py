"""A model over a stream: its formula, and what is known of its columns without holding rows."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, NoReturn, Self

import numpy as np

from nnecon.data.design import caller_namespace
from nnecon.data.scaling import Scaling
from nnecon.data.stream import CHUNK_ROWS, Stream
from nnecon.data.stream_design import WeightedBlock
from nnecon.data.stream_moments import LeastSquares, Moments, moments_of
from nnecon.data.stream_regressors import MovingDesign
from nnecon.data.stream_scaling import scaling_from, spans_constant
from nnecon.data.stream_split import Split
from nnecon.estimation.penalties import Penalty, Ridge
from nnecon.exceptions import DataError, SpecificationError
from nnecon.models.feedforward import FeedForward
from nnecon.nets import Dense


class _Columns(NamedTuple):
    """What a specification asks of the columns of a design."""

    exog: np.ndarray
    const_index: int | None


class _Shape(NamedTuple):
    sample: _Columns


class StreamedData(FeedForward):
    """Specification of a model over a stream, and the moments of its columns."""

    # a StreamDesign instead of a Design: names and new rows, no sample
    design: Any

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
