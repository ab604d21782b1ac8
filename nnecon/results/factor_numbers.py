"""Numbers of a factor model: facts, the attributes of statsmodels' PCA, what factors explain."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from nnecon.exceptions import SpecificationError
from nnecon.inference.explained_variance import increments, marginal_rsquare, residual_sums
from nnecon.inference.factor_map import ComponentMap, FactorMap, reconstruct
from nnecon.inference.factor_number import CRITERIA, bai_ng
from nnecon.inference.factor_sparseness import sparseness


@dataclass(frozen=True, slots=True)
class FactorFacts:
    """How the estimate was found.

    Attributes
    ----------
    alpha : float
        Penalty; infinite for principal components.
    alpha_rule : str
        Who chose it.
    certificate : float
        Largest gradient by a parameter as a share of the objective.
    iterations : int
        Of the last stage.
    converged : bool
        Whether the certificate is small.
    search : str
        Starts and seed.
    n_starts : int
        Starts.
    noise_seed : int, optional
        Of the corrupted rows of a denoising autoencoder, and of a variational one's draws.
    training : str
        How it was trained in mini-batches; empty for L-BFGS.
    note : str
        What the training says about its end.
    """

    alpha: float
    alpha_rule: str
    certificate: float
    iterations: int
    converged: bool
    search: str
    n_starts: int = 4
    noise_seed: int | None = None
    training: str = ""
    note: str = ""

    @property
    def is_trained(self) -> bool:
        """Whether a network comes from mini-batches, and is near a minimum instead of at one."""
        return bool(self.training and self.note)


class ReadsFacts:
    """What all results of factor models say of how they were found."""

    model: Any
    facts: FactorFacts

    @property
    def alpha(self) -> float:
        """Penalty of the estimate; infinite for the linear model."""
        return self.facts.alpha

    @property
    def converged(self) -> bool:
        """Whether the largest relative gradient is under 1e-4."""
        return self.facts.converged

    @property
    def k_factors(self) -> int:
        """Number of factors."""
        return int(self.model.k_factors)


class FactorNumbers(ReadsFacts):
    """What a factor model found on the rows of the sample."""

    mapping: FactorMap
    components: ComponentMap

    # -- facts ------------------------------------------------------------------------------------

    @property
    def is_linear(self) -> bool:
        """Whether the estimate is principal components."""
        return isinstance(self.mapping, ComponentMap)

    @property
    def nobs(self) -> int:
        """Rows."""
        return len(self.model.panel.values)

    @property
    def nvar(self) -> int:
        """Series."""
        return len(self.model.names)

    @property
    def numbers(self) -> pd.DataFrame | None:
        """Criteria by number of factors, where one of them chose it."""
        return None if self.model.numbers is None else self.model.numbers.copy()

    @property
    def index(self) -> pd.Index:
        """Labels of the rows."""
        return self.model.panel.index

    @property
    def factor_names(self) -> list[str]:
        """``comp_0``, ``comp_1``, ..., as in statsmodels."""
        digits = max(int(np.ceil(np.log10(self.k_factors))), 1)
        return [f"comp_{j:0{digits}d}" for j in range(self.k_factors)]

    # -- statsmodels' PCA -------------------------------------------------------------------------

    @cached_property
    def _factors(self) -> np.ndarray:
        return self.mapping.factors(self.model.panel.values)

    @cached_property
    def _standardised(self) -> np.ndarray:
        return self.components.extraction.standardised(self.model.panel.values)

    @property
    def factors(self) -> pd.DataFrame:
        """Factors with inner product one, turned towards principal components, shape (T, k)."""
        return pd.DataFrame(self._factors, self.index, self.factor_names)

    @property
    def scores(self) -> pd.DataFrame:
        """The factors, by statsmodels' other name."""
        return self.factors

    @property
    def transformed_data(self) -> pd.DataFrame:
        """Standardised data, missing values filled by principal components, shape (T, N)."""
        return pd.DataFrame(self._standardised, self.index, self.model.labels)

    @cached_property
    def _slopes(self) -> np.ndarray:
        return self.mapping.mean_slopes(self._factors)

    @property
    def coeff(self) -> pd.DataFrame:
        """Average derivatives of the standardised series by the factors, shape (k, N).

        For principal components they are what factors are multiplied by.
        """
        return pd.DataFrame(self._slopes, self.factor_names, self.model.labels)

    @property
    def loadings(self) -> pd.DataFrame:
        """``coeff`` scaled to length one for each factor, shape (N, k)."""
        scaled = self._slopes / np.linalg.norm(self._slopes, axis=1, keepdims=True)
        return pd.DataFrame(scaled.T, self.model.labels, self.factor_names)

    @property
    def eigenvals(self) -> pd.Series:
        """Eigenvalues of the standardised data's cross product, the first k."""
        found = self.components.extraction.components.eigenvals[: self.k_factors]
        return pd.Series(found, name="eigenvals")

    @property
    def eigenvecs(self) -> pd.DataFrame:
        """Their vectors, in columns, shape (N, k)."""
        found = self.components.extraction.components.eigenvecs[:, : self.k_factors]
        names = [name.replace("comp", "eigenvec") for name in self.factor_names]
        return pd.DataFrame(found, columns=names)

    @property
    def projection(self) -> pd.DataFrame:
        """The data as the factors explain them, in their units, shape (T, N)."""
        fitted = reconstruct(self.mapping, self.model.panel.values)
        return pd.DataFrame(fitted, self.index, self.model.labels)

    @cached_property
    def _residual_sums(self) -> np.ndarray:
        return residual_sums(self._standardised, self.mapping.partial_fits(self.model.panel.values))

    @property
    def rsquare(self) -> pd.Series:
        """Share of the variance that the first 0, 1, ..., k factors explain.

        For an autoencoder the decoder's units are kept with the other factors at their means, and
        the output layer is estimated again. Missing values count as filled, as in statsmodels.
        """
        sums = self._residual_sums.sum(axis=1)
        index = pd.RangeIndex(self.k_factors + 1, name="ncomp")
        return pd.Series(1.0 - sums / sums[0], index, name="rsquare")

    @property
    def rsquare_by_series(self) -> pd.DataFrame:
        """The same for each series, shape (k + 1, N)."""
        sums = self._residual_sums
        index = pd.RangeIndex(self.k_factors + 1, name="ncomp")
        return pd.DataFrame(1.0 - sums / sums[0], index, self.model.labels)

    @property
    def ic(self) -> pd.DataFrame:
        """Criteria of Bai and Ng (2002) of principal components with 0, ..., k factors."""
        eigenvals = self.components.extraction.components.eigenvals
        residual = eigenvals.sum() - np.r_[0.0, np.cumsum(eigenvals)[: self.k_factors]]
        residual = np.where(residual > 1e-12 * eigenvals.sum(), residual, 0.0)
        frame = pd.DataFrame(bai_ng(residual, self.nobs, self.nvar), columns=list(CRITERIA))
        return frame.rename_axis("ncomp")

    # -- what is explained ------------------------------------------------------------------------

    def variance_explained(self, kind: str = "incremental") -> pd.DataFrame:
        """How much of each series each factor explains.

        Parameters
        ----------
        kind : {"incremental", "marginal"}
            What a factor adds to the ones before it, as in McCracken and Ng (2016), or the
            R-squared of a regression on this factor alone.

        Returns
        -------
        DataFrame of shape (N, k)
            The means of the columns are the shares of the variance of standardised series.
        """
        if kind == "incremental":
            sums = self._residual_sums
            found = increments(1.0 - sums / sums[0])
        elif kind == "marginal":
            found = marginal_rsquare(self._standardised, self._factors)
        else:
            raise SpecificationError(f"kind={kind!r}: choose 'incremental' or 'marginal'.")
        return pd.DataFrame(found.T, self.model.labels, self.factor_names)

    def sparseness(self, near: float = 0.25) -> pd.DataFrame:
        r"""How sparse factors are, beside principal components with as many factors.

        Parameters
        ----------
        near : float
            What counts as near zero, in standard deviations of a factor.

        Returns
        -------
        DataFrame
            A row a factor; for each of ``mean |f|`` (in standard deviations: .80 for normal
            factors, less for sparse ones), ``hoyer`` (Hoyer's sparseness: .2 for normal factors, 1
            where all values but one are zero) and ``near zero`` (share of values) a pair of columns
            ``network`` and ``PCA``.

        References
        ----------
        Hoyer, P. O. (2004), Non-negative matrix factorization with sparseness constraints, Journal
        of Machine Learning Research 5, 1457-1469.
        """
        if not near > 0:
            raise SpecificationError(f"near={near!r}: give a positive number.")
        values = self.model.panel.values
        found = {
            "network": sparseness(self._factors, near),
            "PCA": sparseness(self.components.factors(values), near),
        }
        columns = {
            (measure, name): numbers[:, at]
            for at, measure in enumerate(("mean |f|", "hoyer", "near zero"))
            for name, numbers in found.items()
        }
        return pd.DataFrame(columns, index=self.factor_names)

    def top_series(self, n: int = 10, kind: str = "incremental") -> pd.DataFrame:
        """Series that each factor explains best, with their R-squared.

        Returns
        -------
        DataFrame
            Indexed by rank; a pair of columns ``series`` and ``rsquare`` for each factor.
        """
        explained = self.variance_explained(kind)
        blocks = {}
        for name in explained:
            best = explained[name].nlargest(n)
            blocks[name] = pd.DataFrame(
                {"series": best.index, "rsquare": best.to_numpy()},
                index=pd.RangeIndex(1, len(best) + 1, name="rank"),
            )
        return pd.concat(blocks, axis=1)
