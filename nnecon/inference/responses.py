r"""Generalised impulse responses of nonlinear systems (Koop, Pesaran and Potter, 1996).

.. math::

    GI(h, \delta, \omega) = E[y_{t+h} \mid u_{it} = \delta, \omega_{t-1}]
        - E[y_{t+h} \mid \omega_{t-1}],

on average over histories :math:`\omega`. The other shocks of the period take part as they are
correlated with the one that is given,
:math:`u + (\delta - u_i) \Sigma_{\cdot i} / \sigma_{ii}`; later shocks are drawn, the same with
and without the given one. In a linear system this is
:math:`\Psi_h \Sigma_{\cdot i} \delta / \sigma_{ii}` (Pesaran and Shin, 1998).
"""

from collections.abc import Sequence

import numpy as np

from nnecon.inference.dynamics import Linear, moving_average
from nnecon.inference.simulation import Scenario, System, simulate


def linear_response(system: Linear, impulse: int, size: float, steps: int) -> np.ndarray:
    """Responses ``0, ..., steps`` periods after the shock, shape (steps + 1, m)."""
    sigma = system.covariance
    together = size * sigma[:, impulse] / sigma[impulse, impulse]
    return moving_average(system.coefs, steps) @ together


def together(periods: Sequence[Scenario], each: int) -> Scenario:
    """Several histories at once, each of them on ``each`` paths in a row.

    The same series are imposed in the same periods of all of them.
    """
    buffer = np.repeat(np.stack([one.buffer for one in periods]), each, axis=0)
    templates, imposed = (
        np.repeat(np.stack(parts, axis=1), each, axis=1)
        for parts in ([one.templates for one in periods], [one.imposed for one in periods])
    )
    return Scenario(buffer, templates, imposed, periods[0].gains)


def mean_response(
    system: System,
    periods: Scenario,
    shocks: np.ndarray,
    impulse: int,
    size: float,
    linear: np.ndarray | None = None,
    moves: np.ndarray | None = None,
    impact: np.ndarray | None = None,
) -> np.ndarray:
    """Mean over paths of the difference that the shock makes, shape (h, m).

    Parameters
    ----------
    system : System
        The equations.
    periods : Scenario
        The period of the shock and those after it, of every path.
    shocks : ndarray of shape (paths, h, m)
        Without the given one; their mean over paths is zero in the first period.
    impulse, size
        Number of the series and size of its shock, in its units.
    linear, moves
        A draw of the parameters, as in :func:`simulate`.
    impact : ndarray of shape (m,), optional
        What a shock of one goes along with; by default as the covariance says.
    """
    sigma = system.covariance
    along = sigma[:, impulse] / sigma[impulse, impulse] if impact is None else impact
    given = shocks.copy()
    lacking = size - shocks[:, 0, impulse]
    given[:, 0] += lacking[:, None] * along
    with_shock = simulate(system, periods, given, linear, moves=moves)
    without = simulate(system, periods, shocks, linear, moves=moves)
    return (with_shock - without).mean(axis=0)


def draw_impacts(
    residuals: np.ndarray, impulse: int, count: int, rng: np.random.Generator
) -> np.ndarray:
    r"""What a shock of one goes along with, by draws of the residuals' signs, shape (count, m).

    That is a regression of the shocks on the one that is given,
    :math:`\Sigma_{ji} / \sigma_{ii}`, whose error the wild bootstrap draws.
    """
    shock = residuals[:, impulse]
    slope = shock @ residuals / (shock @ shock)
    rest = residuals - shock[:, None] * slope
    signs = rng.choice([-1.0, 1.0], size=(count, len(residuals)))
    return slope + (signs * shock) @ rest / (shock @ shock)


def variance_shares(responses: np.ndarray) -> np.ndarray:
    r"""Generalised decomposition of forecast error variances (Lanne and Nyberg, 2016).

    .. math:: \lambda_{ij}(h) = \frac{\sum_{l \le h} GI_{i}(l, \delta_j)^2}
        {\sum_k \sum_{l \le h} GI_{i}(l, \delta_k)^2}

    Parameters
    ----------
    responses : ndarray of shape (shocks, h, m)
        Responses to a shock to each series.

    Returns
    -------
    ndarray of shape (h, m, shocks)
        Shares, which sum to one over shocks.
    """
    squares = np.cumsum(responses**2, axis=1)
    total = squares.sum(axis=0)
    shares = np.divide(squares, total, out=np.zeros_like(squares), where=total > 0)
    return np.moveaxis(shares, 0, 2)
