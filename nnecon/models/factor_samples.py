"""What a factor model is estimated on: components of some rows, standardised data, starts."""

from dataclasses import dataclass

import numpy as np

from nnecon.data.panel import Panel, check_known, varies
from nnecon.estimation.autoencoder_batches import BatchTraining
from nnecon.estimation.autoencoding import PanelSample
from nnecon.estimation.dynamic_autoencoding import Dynamics
from nnecon.estimation.variational_autoencoding import posterior_draws
from nnecon.exceptions import DataError
from nnecon.inference.corruption import Corruption
from nnecon.inference.factor_alignment import align, align_axes
from nnecon.inference.factor_dynamics import sample_output
from nnecon.inference.factor_map import (
    ComponentMap,
    Extraction,
    NetworkMap,
    encode,
    regressors,
)
from nnecon.inference.principal_components import fill_missing, principal_components
from nnecon.inference.variational_map import VariationalMap, known_share, noise_variance
from nnecon.nets.autoencoder import Autoencoder
from nnecon.nets.variational import VariationalAutoencoder


@dataclass(frozen=True, slots=True, eq=False)
class FactorTask:
    """A panel and what is to be estimated on it.

    Attributes
    ----------
    panel : Panel
    network : Autoencoder
        Without hidden layers it is principal components.
    standardize : bool
    corruption : Corruption, optional
        What the encoder sees during estimation, of a denoising autoencoder.
    batches : BatchTraining, optional
        Mini-batches in the place of L-BFGS.
    dynamics : Dynamics, optional
        Autoregression of the factors.
    posterior_seed : int, optional
        Of the draws of a variational autoencoder.
    """

    panel: Panel
    network: Autoencoder
    standardize: bool
    corruption: Corruption | None = None
    batches: BatchTraining | None = None
    dynamics: Dynamics | None = None
    posterior_seed: int | None = None

    @property
    def is_linear(self) -> bool:
        """Whether there is no network to estimate."""
        return not (self.network.encoder or self.network.decoder)


def extraction_of(task: FactorTask, train: np.ndarray, where: str = "") -> Extraction:
    """Principal components of the rows in ``train`` (a mask)."""
    panel, k = task.panel, task.network.k_factors
    values = panel.values[train]
    check_known(np.isfinite(values), panel.names, panel.index[train], k, where)
    flat = ~varies(values)
    if flat.any():
        name = panel.names[int(np.flatnonzero(flat)[0])]
        raise DataError(f"{name!r} does not vary{where}; leave it out.")
    filled, filling = fill_missing(values, k, task.standardize)
    return Extraction(filling, principal_components(filled, task.standardize), k, len(values))


def unit_of(extraction: Extraction) -> float:
    """Root mean square of all series, so that penalties do not depend on units."""
    n_series = len(extraction.components.standardisation.scale)
    return float(np.sqrt(extraction.components.eigenvals.sum() / (extraction.n_obs * n_series)))


def sample_of(task: FactorTask, extraction: Extraction, train: np.ndarray) -> PanelSample:
    """Scores, standardised data and weights."""
    values = task.panel.values
    known = np.isfinite(values)
    standard = extraction.components.standardisation.apply(values) / unit_of(extraction)
    weights = known * train[:, None].astype(float)
    q, corruption = task.network.n_inputs, task.corruption
    share = draws = None
    if task.posterior_seed is not None:
        share = known_share(extraction, values)
        draws = posterior_draws(task.posterior_seed, len(values), task.network.k_factors)
    return PanelSample(
        extraction.inputs(values, q),
        np.where(known, standard, 0.0),
        weights / weights.sum(),
        None if corruption is None else corruption.inputs(extraction, values, q),
        task.dynamics,
        share,
        draws,
    )


def random_starts(
    task: FactorTask, extraction: Extraction, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Starts: principal components first, then random directions among the leading ones."""
    network = task.network
    q, k = network.n_inputs, network.k_factors
    size = np.sqrt(extraction.components.eigenvals[:q] / extraction.components.eigenvals[0])
    starts = []
    for number, own in enumerate(rng.spawn(count)):
        directions = np.eye(q, k)
        if number:
            directions = np.linalg.qr(size[:, None] * own.standard_normal((q, k)))[0]
        starts.append(network.init(own, directions))
    return np.stack(starts)


def mapping_of(
    task: FactorTask, base: Extraction, sample: PanelSample, params: np.ndarray, alpha: float
) -> NetworkMap:
    """The factor model as a function, from its inner parameters."""
    network = task.network
    output = sample_output(network, sample, params, alpha)
    linear = ComponentMap(base)
    rows = sample.weights.sum(axis=1) > 0
    codes = encode(network, params, sample.inputs)
    settle = align_axes if network.has_axes else align
    alignment = settle(codes[rows], linear.factors(task.panel.values[rows]))
    unit = unit_of(base)
    if isinstance(network, VariationalAutoencoder):
        noise = unit**2 * noise_variance(network, params, *sample.seen, alpha)
        return VariationalMap(base, network, params, output * unit, alignment, alpha, noise)
    return NetworkMap(base, network, params, output * unit, alignment, alpha)


def fitted(
    network: Autoencoder, sample: PanelSample, params: np.ndarray, alpha: float
) -> np.ndarray:
    """Fitted values of all rows, those without weight included."""
    codes = encode(network, params, sample.inputs)
    return regressors(network, params, codes) @ sample_output(network, sample, params, alpha)
