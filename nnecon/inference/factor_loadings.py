r"""Average loadings that repeated samples agree on.

Of principal components the loading of a series is its slope on a factor with variance one. The
factor of an autoencoder is known up to a transformation alone: with :math:`z = m(f)` in the place
of :math:`f`, decoder and encoder change and the fit does not, while the average derivative
:math:`E[\partial \hat x / \partial z]` does. One factor has a scale that all these share, the one
on which it is normally distributed, :math:`n = \Phi^{-1}(F(z))`. There the average derivative is a
slope, by Stein's (1981) lemma,

.. math:: E[\partial \hat x_j / \partial n] = \mathrm{cov}(\hat x_j, n).
"""

import numpy as np
from scipy.stats import norm, rankdata

from nnecon.inference.factor_map import FactorMap


def normal_scores(factor: np.ndarray) -> np.ndarray:
    """The factor (T,) on the scale on which it is normally distributed, with variance one."""
    scores = norm.ppf(rankdata(factor) / (len(factor) + 1))
    return scores / scores.std()


def average_loadings(mapping: FactorMap, factors: np.ndarray, linear: bool) -> np.ndarray:
    """Loadings of standardised series, shape (k, N).

    Parameters
    ----------
    mapping : FactorMap
    factors : ndarray of shape (T, k)
        Its factors of the sample.
    linear : bool
        Slopes on the factors, for principal components; otherwise on the normal scores of the one
        factor.
    """
    if linear:
        return mapping.mean_slopes(factors) / np.sqrt(len(factors))
    scores = normal_scores(factors[:, 0])
    return (scores @ mapping.decode(factors))[None] / len(scores)
