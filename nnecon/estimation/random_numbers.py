"""Where random numbers come from."""

import numpy as np

from nnecon.exceptions import SpecificationError


def generator(rng: int | np.random.Generator) -> np.random.Generator:
    """NumPy's generator for what a user gives as ``rng``."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise SpecificationError(
            f"rng={rng!r}: give a whole number of at least 0 or a numpy.random.Generator."
        ) from error
