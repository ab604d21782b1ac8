"""What a covariance supposes of the errors, for tests that should suppose no more."""

import numpy as np

from nnecon.results.base import CovarianceSpec

EQUAL = ("nonrobust", "opg")
"""Kinds that suppose errors of equal variance, or the right likelihood."""


def error_structure(spec: CovarianceSpec) -> tuple[bool, np.ndarray | None]:
    """Whether variances may differ, and the clusters within which errors may be correlated.

    Parameters
    ----------
    spec : CovarianceSpec
        The covariance that was asked for. Of clusters in two directions those of the first, of
        which there are as many as labels; panels whose errors are autocorrelated are clusters.

    Returns
    -------
    robust : bool
    groups : ndarray of shape (n,) or None
    """
    groups = spec.options.get("groups")
    if groups is None:
        return spec.kind not in EQUAL, None
    labels = np.asarray(groups)
    return True, labels if labels.ndim == 1 else labels[:, 0]
