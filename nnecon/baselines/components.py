"""Principal components through statsmodels."""

from typing import Any

import pandas as pd
from statsmodels.multivariate.pca import PCA

from nnecon.exceptions import SpecificationError


def pca(data: pd.DataFrame, k_factors: int, standardize: bool = True) -> Any:
    """Principal components of a frame without missing values, as statsmodels has them.

    Parameters
    ----------
    data : DataFrame of shape (T, N)
        No missing values; :class:`nnecon.AutoencoderFactor` fills them by EM.
    k_factors : int
        Components.
    standardize : bool
        Whether series are standardised; they are centred in any case.

    Returns
    -------
    statsmodels.multivariate.pca.PCA

    Examples
    --------
    >>> import nnecon as ne
    >>> macro = ne.datasets.load_macro()[["growth", "infl", "unemp", "tbilrate"]].dropna()
    >>> ne.baselines.pca(macro, 2).rsquare.round(2).tolist()
    [0.0, 0.42, 0.68]
    """
    if not 1 <= k_factors <= min(data.shape):
        raise SpecificationError(
            f"k_factors={k_factors}: {data.shape[0]} rows and {data.shape[1]} series have from 1 "
            f"to {min(data.shape)} components."
        )
    return PCA(data, ncomp=k_factors, standardize=standardize)
