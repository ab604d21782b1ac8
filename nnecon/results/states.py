"""States of a state-space model by period, as frames."""

from typing import Any

import numpy as np
import pandas as pd

from nnecon.exceptions import SpecificationError
from nnecon.inference.linearisation import entering_deviations


class States:
    """States of a model by period: ``predicted``, ``filtered`` and ``smoothed``, with covariances.

    Parameters
    ----------
    results : RNNStateSpaceResults
    """

    def __init__(self, results: Any) -> None:
        self._results = results

    @property
    def predicted(self) -> pd.DataFrame:
        """Given the observations of earlier periods; a column a state."""
        return self._frame(self._results._filtered[0].predicted)

    @property
    def predicted_cov(self) -> pd.DataFrame:
        """Covariances: rows are (period, state), columns states."""
        return self._cov_frame(self._results._filtered[0].predicted_cov)

    @property
    def filtered(self) -> pd.DataFrame:
        """Given the observations up to the period."""
        return self._frame(self._results._filtered[0].filtered)

    @property
    def filtered_cov(self) -> pd.DataFrame:
        """Covariances: rows are (period, state), columns states."""
        return self._cov_frame(self._results._filtered[0].filtered_cov)

    @property
    def smoothed(self) -> pd.DataFrame:
        """Given all observations."""
        return self._frame(self._results._smoothed.mean)

    @property
    def smoothed_cov(self) -> pd.DataFrame:
        """Covariances: rows are (period, state), columns states."""
        return self._cov_frame(self._results._smoothed.covariance)

    def se(self, which: str = "smoothed") -> pd.DataFrame:
        """Standard errors; zero where a state is a function of the data.

        Parameters
        ----------
        which : {"smoothed", "filtered", "predicted"}
        """
        if which not in ("smoothed", "filtered", "predicted"):
            raise SpecificationError(
                f"which={which!r}: choose 'smoothed', 'filtered' or 'predicted'."
            )
        k = self._results.model.k_states
        covariance = getattr(self, f"{which}_cov").to_numpy().reshape(-1, k, k)
        variances = np.diagonal(covariance, axis1=1, axis2=2)
        frame = getattr(self, which)
        return pd.DataFrame(
            np.sqrt(np.maximum(variances, 0.0)), index=frame.index, columns=frame.columns
        )

    @property
    def entering_se(self) -> pd.DataFrame:
        """Standard errors of what enters the activations, given the past; from the second row on.

        The extended Kalman filter takes activations for straight lines over this range. Its
        log-likelihood was within 1% of a particle filter's where these are .5 on average or less;
        :meth:`RNNStateSpaceResults.particle_llf` checks it anywhere.
        """
        results = self._results
        covariance = results._filtered[0].filtered_cov
        found = entering_deviations(results.model.network, results._standard, covariance)
        shown = np.concatenate([np.full((1, found.shape[1]), np.nan), found[:-1]])[results._shown]
        frame = pd.DataFrame(shown, index=results.index, columns=self._names)
        return frame.dropna()

    @property
    def _names(self) -> list[str]:
        return [f"h{j}" for j in range(1, self._results.model.k_states + 1)]

    def _frame(self, mean: np.ndarray) -> pd.DataFrame:
        results, names = self._results, self._names
        shown = mean[results._shown, : len(names)]
        return pd.DataFrame(shown, index=results.index, columns=names)

    def _cov_frame(self, covariance: np.ndarray) -> pd.DataFrame:
        results, names = self._results, self._names
        k = len(names)
        rows = pd.MultiIndex.from_product([results.index, names], names=["period", "state"])
        shown = covariance[results._shown, :k, :k].reshape(-1, k)
        return pd.DataFrame(shown, index=rows, columns=names)

    @property
    def normalised(self) -> pd.DataFrame:
        """Principal components of what the states contribute to the series, by smoothed states.

        States themselves depend on the start of the search: linear ones are identified up to a
        transformation, others up to their order and signs, or hardly. The contributions
        :math:`V h_t`, in standard deviations of the series, are identified. Components are ordered
        by their variance and signed so that the largest loading is positive.
        """
        results = self._results
        network = results.model.network
        where, shape = network.blocks["loading"]
        states = self.smoothed.to_numpy()
        signal = states @ results._standard[where].reshape(shape).T
        signal = signal - signal.mean(axis=0)
        left, size, right = np.linalg.svd(signal, full_matrices=False)
        count = min(shape)
        largest = np.abs(right).argmax(axis=1)
        sign = np.where(right[np.arange(len(right)), largest] < 0, -1.0, 1.0)
        names = [f"component{j}" for j in range(1, count + 1)]
        return pd.DataFrame(
            (left * size * sign)[:, :count], index=results.index, columns=names
        )  # fmt: skip

    @property
    def contributions(self) -> pd.DataFrame:
        """What the states add to each series, in its units, by smoothed states."""
        results = self._results
        where, shape = results.model.network.blocks["loading"]
        loading = results.params.to_numpy()[where].reshape(shape)
        return results._frame(self.smoothed.to_numpy() @ loading.T)
