"""Corrupted rows for denoising autoencoders: normal noise, and values set to their means."""

from dataclasses import dataclass

import numpy as np

from nnecon.inference.factor_map import Extraction

COPIES = 10
"""Corrupted copies of every row, drawn once, so that the objective is a smooth function."""


@dataclass(frozen=True, slots=True)
class Corruption:
    """What is done to the rows that an encoder sees during estimation (Vincent et al., 2010).

    Attributes
    ----------
    noise : float
        Standard deviation of normal noise, in standard deviations of each series.
    masking : float
        Share of the values that are set to the mean of their series, at random.
    seed : int
        Of the draws.
    """

    noise: float
    masking: float
    seed: int

    def inputs(self, base: Extraction, values: np.ndarray, q: int) -> np.ndarray:
        """Scores of corrupted rows, in the units of those of the rows as they are.

        Parameters
        ----------
        base : Extraction
            Components.
        values : ndarray of shape (T, N)
            Rows; missing values are filled first.
        q : int
            Scores that the encoder sees.

        Returns
        -------
        ndarray of shape (COPIES, T, q)
        """
        rng = np.random.default_rng(self.seed)
        standard, components = base.standardised(values), base.components
        spread = np.sqrt(components.eigenvecs**2 @ components.eigenvals / base.n_obs)
        turn = components.eigenvecs[:, :q] * np.sqrt(base.n_obs / components.eigenvals[:q])
        copies = []
        for _ in range(COPIES):
            kept = rng.uniform(size=standard.shape) >= self.masking
            added = self.noise * spread * rng.standard_normal(standard.shape)
            copies.append((standard * kept + added) @ turn)
        return np.stack(copies)
