"""Predictions and partial effects of an estimate on a stream, chunk by chunk."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nnecon.data.stream import CHUNK_ROWS, Stream
from nnecon.inference.effects import delta_variance
from nnecon.inference.streamed import (
    change_sums,
    fitted_rows,
    rows_and_gradients,
    slope_sums,
)
from nnecon.results.effects import MarginalEffects
from nnecon.results.prediction import PredictionResults
from nnecon.results.streamed_numbers import StreamedNumbers


class StreamedMean(StreamedNumbers):
    """What is read off the estimated mean: predictions of new rows, average partial effects."""

    # -- predictions ------------------------------------------------------------------------------

    def _exog_parts(self, new: Any) -> Iterator[tuple[np.ndarray, pd.Index]]:
        """Standardised rows and labels of new data, a bounded number at a time."""
        if new is None:
            self._needs_rows("predict() without new rows")
        design, scaling = self.model.design, self.estimate.scaling
        is_frame = isinstance(new, pd.DataFrame) or not (
            isinstance(new, Stream | str | Path | list | tuple) or callable(new)
        )
        short = is_frame and not (isinstance(new, pd.DataFrame) and len(new) > CHUNK_ROWS)
        for exog, index in [design.exog_for(new)] if short else design.exog_chunks(new):
            yield scaling.rows(exog), index

    def predict(self, exog: Any = None) -> pd.Series:
        """Predicted means of new rows.

        Parameters
        ----------
        exog : DataFrame, path, Stream, callable or list of DataFrame
            New rows with the formula's variables: a frame, or whatever a
            :class:`~nnecon.Stream` can be made of. One number a row is returned;
            :meth:`predict_chunks` gives them chunk by chunk.

        Returns
        -------
        Series
            With the labels of the new rows.
        """
        parts = list(self.predict_chunks(exog))
        return pd.concat(parts) if len(parts) != 1 else parts[0]

    def predict_chunks(self, exog: Any) -> Iterator[pd.Series]:
        """As :meth:`predict`, chunk by chunk, for more rows than memory holds."""
        network, scaling = self.model.network, self.estimate.scaling
        for rows, index in self._exog_parts(exog):
            values = fitted_rows(network, self.solution.params, rows)
            yield pd.Series(scaling.restore(values), index=index)

    def get_prediction(
        self, exog: Any = None, weights: Any = None, interval: str = "delta", **options: Any
    ) -> PredictionResults:
        """Predicted means of new rows with delta-method errors and intervals.

        Parameters
        ----------
        exog : DataFrame, path, Stream, callable or list of DataFrame
            As in :meth:`predict`.
        weights : array_like, optional
            Weights of the new rows: the variance of an observation is ``scale / weights``. One by
            default.
        interval : {"delta"}
            The others repeat the estimate, or need the residuals of all rows.
        """
        if interval != "delta" or options:
            self._needs_rows(f"interval={interval!r} with {', '.join(options) or 'its defaults'}")
        matrix, scaling = self.covariance.matrix, self.estimate.scaling
        means, errors, labels = [], [], []
        for rows, index in self._exog_parts(exog):
            labels.append(index)
            for values, gradients in rows_and_gradients(
                self.model.network, self.solution.params, rows
            ):
                means.append(scaling.restore(values))
                moved = gradients @ matrix
                variance = np.einsum("ij,ij->i", moved, gradients) * scaling.target_scale**2
                errors.append(np.sqrt(variance))
        index = labels[0].append(labels[1:])
        own = np.broadcast_to(1.0 if weights is None else np.asarray(weights, float), len(index))
        return PredictionResults(
            pd.Series(np.concatenate(means), index=index),
            pd.Series(np.concatenate(errors), index=index),
            self.scale / own,
            self.use_t,
            self.covariance.df_resid,
        )

    # -- effects ----------------------------------------------------------------------------------

    @cached_property
    def _effect_sums(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Average effects (m,), their gradients (m, k), and average moves of the design (m, p)."""
        estimate, design = self.estimate, self.model.design
        scaling, params, network = estimate.scaling, self.solution.params, self.model.network
        regressors = design.regressors
        ways = [j for j, one in enumerate(regressors) if one.kind != "category"]
        levels = [j for j, one in enumerate(regressors) if one.kind == "category"]
        effects, gradients = np.zeros(len(regressors)), np.zeros((len(regressors), len(params)))
        moves = np.zeros((len(regressors), len(self.model.exog_names)))
        take = estimate.split.marks()
        for chunk in design.moving_chunks():
            # rows set apart get no weight
            weights = np.where(take(len(chunk.weights)), 0.0, chunk.weights)
            rows = scaling.rows(chunk.exog)
            fixed: dict[int, np.ndarray] = {}
            for j in ways:
                derivative = chunk.direction(regressors[j])
                along = scaling.directions(derivative)
                if derivative.ndim == 1:
                    fixed[j] = along
                    moves[j] += weights.sum() * derivative
                    continue
                value, gradient = slope_sums(network, params, rows, [along], weights)
                effects[j] += value[0]
                gradients[j] += gradient[0]
                moves[j] += weights @ derivative
            value, gradient = slope_sums(network, params, rows, list(fixed.values()), weights)
            effects[list(fixed)] += value
            gradients[list(fixed)] += gradient
            for j in levels:
                level, reference = chunk.contrast(regressors[j])
                both = scaling.rows(level), scaling.rows(reference)
                change, its_gradient = change_sums(network, params, *both, weights)
                effects[j] += change
                gradients[j] += its_gradient
                moves[j] += weights @ (level - reference)
        total = estimate.moments.weight_sum
        unit = scaling.target_scale / total
        return effects * unit, gradients * unit, moves / total

    def average_effects(self) -> pd.Series:
        """Average partial effects without standard errors, for networks of any size."""
        names = [regressor.name for regressor in self.model.design.regressors]
        return pd.Series(self._effect_sums[0], index=names, dtype=float)

    @cached_property
    def _margeff(self) -> MarginalEffects:
        effects, (_, gradient, moves) = self.average_effects(), self._effect_sums
        names = list(effects.index)
        classical = delta_variance(moves, np.asarray(self.baseline.cov_params()))
        baseline = {
            "effect": moves @ self.baseline.params.to_numpy(),
            "se": np.sqrt(classical),
        }
        return MarginalEffects(
            effects,
            pd.Series(np.sqrt(delta_variance(gradient, self.covariance.matrix)), index=names),
            gradient,
            pd.DataFrame(baseline, index=names),
            self.use_t,
            self.covariance.df_resid,
            self.covariance.description,
            self.model.endog_names,
        )
