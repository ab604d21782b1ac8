"""What is uncertain about a direct forecast at one horizon: shocks, parameters, starts."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nnecon.estimation.kernels import fitted
from nnecon.inference.parameter_draws import draw_values
from nnecon.inference.simulation import draw_shocks
from nnecon.results.forecasting import ForecasterResults
from nnecon.results.simulator import PARAMETER_DRAWS, estimated


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """The forecast of one horizon: mean (m,) and degrees of freedom.

    ``variances`` by source, each (m,); ``paths`` (r, m) outcomes with all uncertainty.
    """

    mean: np.ndarray
    variances: Mapping[str, np.ndarray]
    df: float
    paths: np.ndarray


def reach_of(
    part: ForecasterResults,
    row: np.ndarray,
    shocks: str,
    parameters: bool,
    count: int,
    rng: np.random.Generator,
) -> Reach:
    """Mean and uncertainty of one horizon.

    Parameters
    ----------
    part : ForecasterResults
        The equations of the horizon.
    row : ndarray of shape (r,)
        Standardised row at the end of the data.
    shocks : {"bootstrap", "normal"}
        How errors are drawn.
    parameters : bool
        Whether the uncertainty of parameters and random starts is added.
    count : int
        Outcomes that are drawn.
    rng : numpy.random.Generator
    """
    mean = np.array([one.values(row[None])[0] for one in part.equations])
    scale = np.array([one.scaling.target_scale for one in part.equations])
    own = np.diag(part._covariance)
    errors = part._shocks - part._shocks.mean(axis=0)
    spread = starts = np.zeros(len(mean))
    paths = mean + draw_shocks(shocks, part._covariance, errors, count, 1, rng)[:, 0]
    n, p = part.nobs, part.model.layout.n_linear
    if parameters and part.is_linear and not part.student:
        spread = own * _leverage(part.equations[0].objective.inputs[:, :p], row[:p])
        paths = paths + np.sqrt(spread) * rng.standard_normal((count, len(mean)))
    elif parameters:
        equations = [
            estimated(one, errors[:, at] / size)
            for at, (one, size) in enumerate(zip(part.equations, scale, strict=True))
        ]
        moved = scale * draw_values(equations, row, PARAMETER_DRAWS, part.model.lead + 1, rng)
        moved -= moved.mean(axis=0)
        apart = _apart(part, row)
        spread, starts = moved.var(axis=0), (apart**2).mean(axis=0)
        paths = paths + moved[rng.integers(len(moved), size=count)]
        signs = rng.choice([-1.0, 1.0], size=(count, 1))
        paths = paths + signs * apart[rng.integers(len(apart), size=count)]
    variances = {"shocks": own, "parameters": spread, "starts": starts}
    return Reach(mean, variances, float(n - p), paths)


def _apart(part: ForecasterResults, row: np.ndarray) -> np.ndarray:
    """Deviations (d, m) of each start's value, as large as those of a mean of starts."""
    most = max(len(one.solutions) for one in part.equations)
    columns = []
    for one in part.equations:
        values = np.array([fitted(one.network, draw, row[None])[0] for draw in one.params])
        values = np.resize(values, most) if len(values) == 1 else values
        columns.append(one.scaling.target_scale * (values - values.mean()))
    return np.column_stack(columns) / np.sqrt(max(most - 1.0, 1.0))


def _leverage(rows: np.ndarray, row: np.ndarray) -> float:
    """``x'(X'X)^{-1}x``: the squared length of the shortest weights that make ``x`` of the rows."""
    weights = np.linalg.lstsq(rows.T, row, rcond=None)[0]
    return float(weights @ weights)
