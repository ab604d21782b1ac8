"""Results of a factor model: its numbers, rows to factors and back, comparison, files."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.panel import check_known
from nnecon.exceptions import DataError, SpecificationError
from nnecon.inference.factor_map import ComponentMap, FactorMap, reconstruct
from nnecon.results.archive import write_archive
from nnecon.results.factor_comparison import compare_factors, reconstruction_by
from nnecon.results.factor_display import FactorDisplay
from nnecon.results.factor_loadings import FactorLoadings
from nnecon.results.factor_numbers import FactorFacts, FactorNumbers
from nnecon.results.factor_outlook import DynamicFactors
from nnecon.results.factor_path import FactorPath, ReconstructionCV
from nnecon.results.factor_posterior import FactorPosterior
from nnecon.results.factor_state import factor_state
from nnecon.results.immutable import Immutable


class AutoencoderFactorResults(
    FactorNumbers, FactorPosterior, FactorDisplay, FactorLoadings, DynamicFactors, Immutable
):
    """Estimated factors; made by :meth:`nnecon.AutoencoderFactor.fit`.

    Attributes of statsmodels' ``PCA`` have its names and, for principal components, its numbers.

    Attributes
    ----------
    model : AutoencoderFactor
    baseline : statsmodels.multivariate.pca.PCA
        Principal components of the data with missing values filled.
    facts : FactorFacts
        How the estimate was found.
    path : FactorPath or None
        From principal components to the full autoencoder.
    cv : ReconstructionCV or None
        Errors of rows left out.
    """

    model: Any
    mapping: FactorMap
    components: ComponentMap
    baseline: Any
    facts: FactorFacts
    path: FactorPath | None
    cv: ReconstructionCV | None

    def __init__(
        self,
        model: Any,
        mapping: FactorMap,
        components: ComponentMap,
        baseline: Any,
        facts: FactorFacts,
        path: FactorPath | None,
        cv: ReconstructionCV | None,
    ) -> None:
        self.__dict__.update(
            model=model, mapping=mapping, components=components, baseline=baseline, facts=facts,
            path=path, cv=cv,
        )  # fmt: skip

    # -- new rows ---------------------------------------------------------------------------------

    def transform(self, new: Any = None) -> pd.DataFrame:
        """Factors of rows, which may have missing values.

        Parameters
        ----------
        new : DataFrame or array_like of shape (n, N), optional
            By default the rows of the sample, which get their own factors.

        Returns
        -------
        DataFrame of shape (n, k)
        """
        values, index = self._rows(new)
        return pd.DataFrame(self.mapping.factors(values), index, self.factor_names)

    def reconstruct(self, new: Any = None) -> pd.DataFrame:
        """Rows as their factors explain them, in the data's units; missing values are filled.

        Parameters
        ----------
        new : DataFrame or array_like of shape (n, N), optional
            By default the rows of the sample.

        Returns
        -------
        DataFrame of shape (n, N)
        """
        values, index = self._rows(new)
        return pd.DataFrame(reconstruct(self.mapping, values), index, self.model.labels)

    def decode(self, factors: Any) -> pd.DataFrame:
        """Series, in the data's units, that go with factors of your choice.

        Parameters
        ----------
        factors : DataFrame or array_like of shape (n, k)
            In the units of :attr:`factors`.

        Returns
        -------
        DataFrame of shape (n, N)
        """
        given = np.asarray(factors, dtype=float)
        if given.ndim != 2 or given.shape[1] != self.k_factors or not np.isfinite(given).all():
            raise DataError(
                f"factors must be a finite matrix with {self.k_factors} columns, not one of shape "
                f"{given.shape}."
            )
        index = factors.index if isinstance(factors, pd.DataFrame) else pd.RangeIndex(len(given))
        standard = self.mapping.decode(given)
        shift = self.mapping.extraction.components.standardisation
        return pd.DataFrame(shift.undo(standard), index, self.model.labels)

    def _rows(self, new: Any) -> tuple[np.ndarray, pd.Index]:
        if new is None:
            return self.model.panel.values, self.index
        values, index = self.model.panel.new(new)
        check_known(np.isfinite(values), (), index, self.k_factors)
        return values, index

    def to_frame(self, data: pd.DataFrame | None = None, prefix: str = "factor") -> pd.DataFrame:
        """Factors as columns that a formula can name, beside the columns of a frame.

        Parameters
        ----------
        data : DataFrame, optional
            A frame with the same labels; rows without factors get NaN.
        prefix : str
            Columns are called ``factor1``, ``factor2``, ..., and have variance one.

        Returns
        -------
        DataFrame

        Examples
        --------
        >>> import nnecon as ne
        >>> macro = ne.datasets.load_macro()
        >>> panel = macro[["growth", "infl", "unemp", "tbilrate", "realint"]]
        >>> results = ne.AutoencoderFactor(panel, k_factors=2, hidden=()).fit()
        >>> frame = results.to_frame(macro)
        >>> ne.NeuralRegression.from_formula(
        ...     "growth ~ lag(growth, 1) + lag(factor1, 1)", frame, hidden=()
        ... ).fit().nobs
        201.0
        """
        names = [f"{prefix}{j}" for j in range(1, self.k_factors + 1)]
        own = pd.DataFrame(self._factors * np.sqrt(self.nobs), self.index, names)
        if data is None:
            return own
        taken = next((name for name in names if name in data.columns), None)
        if taken is not None:
            raise SpecificationError(f"the frame has a column {taken!r}; give another prefix.")
        if not data.index.isin(own.index).any():
            raise DataError("the frame and the factors have no row label in common.")
        return data.join(own)

    # -- beside principal components -------------------------------------------------------------

    def compare(self) -> Any:
        """Autoencoder and principal components with as many factors, side by side.

        Returns
        -------
        nnecon.results.comparison.Comparison
        """
        return compare_factors(self)

    def reconstruction(self, groups: Any = None) -> pd.DataFrame:
        """Errors of autoencoder and principal components by series, or by group of series.

        Parameters
        ----------
        groups : Series or mapping, optional
            Group of each series, such as ``describe_fred_md(path)["group"]``.

        Returns
        -------
        DataFrame
            Mean squared errors in squared standard deviations, in the sample and of rows left out,
            and the ratio of the latter.
        """
        return reconstruction_by(self, groups)

    # -- files ------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the results to a file that :func:`nnecon.load` reads; it holds the panel."""
        write_archive(path, *factor_state(self))
