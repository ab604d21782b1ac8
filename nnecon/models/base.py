"""What every model shares: data, weights, names, and the covariance of time, group and row."""

from collections.abc import Mapping, Sequence
from copy import copy
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np

from nnecon.data.design import Design, caller_namespace
from nnecon.data.scaling import Scaling
from nnecon.data.stream import Stream
from nnecon.data.time_axis import label_text
from nnecon.exceptions import DataError, SpecificationError
from nnecon.inference.bootstrap import scheme
from nnecon.inference.covariance_kinds import GROUPED, LABELS, OPTIONS, check
from nnecon.inference.covariance_rows import in_words, refused
from nnecon.results.archive import under_prefix
from nnecon.results.base import CovarianceSpec
from nnecon.results.immutable import Immutable


class Labels(NamedTuple):
    """What statsmodels' ``summary_col`` asks of ``results.model.data``."""

    param_names: list[str]


class Model(Immutable):
    """A specification on data; ``fit`` returns results and changes nothing.

    A family overrides ``_specify`` (its arguments), ``loglike``, ``user_units`` and ``fit``.
    """

    design: Design
    weights: np.ndarray
    weighted: bool

    def __init__(self, design: Design, weights: Any, **specification: Any) -> None:
        sample = design.sample
        values = np.ones(sample.nobs)
        if weights is not None:
            values = design.align(weights, "weights").astype(float)
            if (values <= 0).any():
                at = int(np.flatnonzero(values <= 0)[0])
                row, bad = sample.index[at], values[at]
                raise DataError(
                    f"weights must be positive, but row {row} has {bad:g}; leave the row "
                    "out with subset= instead."
                )
        self.__dict__.update(
            design=design,
            weights=values,
            weighted=weights is not None,
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
        **specification: Any,
    ) -> Self:
        """Build the model from a formula and a frame.

        Parameters
        ----------
        formula : str
            As in patsy and R, with ``lag(x, k)``, ``lag(x, first, last)``, ``diff(x, k)`` and
            ``dlog(x, k)`` besides; your own functions are found where this is called.
        data : DataFrame or nnecon.Stream
            One row an observation; lags go by the periods of its index. A stream is read chunk by
            chunk (see :class:`nnecon.Stream`), for data larger than memory.
        subset : array_like or str, optional
            Rows to use: labels, a boolean array or a condition; lags are computed before.
        drop_cols : sequence of str, optional
            Columns of the design to leave out.
        missing : {"drop", "raise"}
            What to do about rows with missing values.
        weights : str, Series or array_like, optional
            Observation weights: a column of ``data``, or one number a row.
        **specification
            As in the constructor.
        """
        names = caller_namespace(0)
        if isinstance(data, Stream):
            options = {"subset": subset, "drop_cols": drop_cols, "missing": missing}
            return cls._over_stream(
                formula, data, names, weights=weights, **options, **specification
            )
        design = Design.from_formula(
            formula, data, subset=subset, drop_cols=drop_cols, missing=missing, env=names
        )
        return cls._from_design(design, weights=weights, **specification)

    @classmethod
    def _over_stream(
        cls, formula: str, stream: Stream, names: Mapping[str, Any], **options: Any
    ) -> Any:
        raise SpecificationError(
            f"{cls.__name__} is not estimated on streams; pass a DataFrame instead."
        )

    @classmethod
    def _from_design(cls, design: Design, weights: Any = None, **specification: Any) -> Self:
        model = cls.__new__(cls)
        Model.__init__(model, design, weights, **specification)
        return model

    def _specify(self, design: Design, /, **specification: Any) -> Mapping[str, Any]:
        raise TypeError(f"{type(self).__name__} does not say what it consists of.")

    def user_units(self, scaling: Scaling) -> tuple[np.ndarray, np.ndarray]:
        """Affine map from standardised parameters to the user's units."""
        raise TypeError(f"{type(self).__name__} does not say what its parameters mean.")

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What a file has to hold to build the model again, as JSON and arrays."""
        described, held = self.design.state()
        meta = {"class": type(self).__name__, "design": described, "weighted": self.weighted}
        return meta, {"weights": self.weights, **under_prefix("design", held)}

    @property
    def formula(self) -> str | None:
        """The formula, None in the array interface."""
        return self.design.formula

    @property
    def endog(self) -> np.ndarray:
        """Dependent variable, shape (n,)."""
        return self.design.sample.endog

    @property
    def exog(self) -> np.ndarray:
        """Design matrix, shape (n, p)."""
        return self.design.sample.exog

    @property
    def endog_names(self) -> str:
        """Name of the dependent variable."""
        return self.design.sample.endog_name

    @property
    def exog_names(self) -> list[str]:
        """Names of the design columns."""
        return list(self.design.sample.exog_names)

    @property
    def param_names(self) -> list[str]:
        """Names of the parameters."""
        raise TypeError(f"{type(self).__name__} does not name its parameters.")

    @cached_property
    def data(self) -> Labels:
        """Names of the parameters, where statsmodels' tables look for them."""
        return Labels(self.param_names)

    def labelled(self, names: Sequence[str]) -> Self:
        """The same model with the names of more parameters in :attr:`data`, an ensemble's."""
        same = copy(self)
        same.__dict__["data"] = Labels(list(names))
        return same

    @property
    def is_time_series(self) -> bool:
        """Whether the rows are dated, one a period."""
        return self.design.sample.is_time_series

    def default_cov_type(self, groups: Any) -> str:
        """Clustered where there are groups, HAC for time series, HC1 for cross sections."""
        if groups is not None:
            return "cluster"
        return "HAC" if self.is_time_series else "HC1"

    def cov_options(self, kind: str, options: Mapping[str, Any] | None) -> dict[str, Any]:
        """Options of a covariance with ``groups`` and ``time`` brought to the sample's rows."""
        options = {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in (options or {}).items()
        }
        for name in LABELS:
            if options.get(name) is not None and name in OPTIONS.get(kind, ()):
                options[name] = self._labels(options[name], name)
        check(kind, options, len(self.endog))
        found = refused(kind, options, self.exog, self.weights)
        if found is not None:
            labels = tuple(label_text(self.design.sample.index[row]) for row in found.rows)
            raise SpecificationError(in_words(found, labels))
        return scheme(options, self.is_time_series) if kind == "bootstrap" else options

    def _labels(self, given: Any, name: str) -> np.ndarray:
        """One label a row, or two, given as a list of two columns, a frame or a matrix."""
        several = isinstance(given, list | tuple) and len(given) == 2 and len(self.endog) != 2
        if several and all(np.ndim(one) == 1 for one in given):
            given = np.column_stack([self._labels(one, name) for one in given])
        labels = self.design.align(given, name)
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = labels[:, 0]
        if labels.dtype != object:
            return labels
        # periods, or columns of several types: their order is all that counts, and can be saved
        ways = [np.unique(way, return_inverse=True)[1] for way in labels.reshape(len(labels), -1).T]
        return np.column_stack(ways) if labels.ndim == 2 else ways[0]

    def _cov_spec(
        self, kind: str | None, options: Mapping[str, Any] | None, use_t: bool | None, labels: Any
    ) -> CovarianceSpec:
        kind = self.default_cov_type(labels) if kind is None else kind
        options = dict(options or {})
        drawn = kind == "bootstrap" and options.get("kind") in (None, "cluster")
        if labels is not None and (drawn or kind in GROUPED):
            options.setdefault("groups", labels)
        return CovarianceSpec(kind, self.cov_options(kind, options), use_t)
