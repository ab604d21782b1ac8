"""The numbers of a backtest: errors, losses, accuracy, tests."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from nnecon.data.syntax import suggestion
from nnecon.exceptions import SpecificationError
from nnecon.inference.accuracy import clark_west, diebold_mariano, giacomini_white
from nnecon.inference.accuracy.measures import accuracy
from nnecon.results import forecast_comparisons as comparisons
from nnecon.results.forecast_table import ForecastTable
from nnecon.results.immutable import Immutable
from nnecon.results.relative_accuracy import RelativeAccuracy


class BacktestNumbers(Immutable):
    """What a backtest has found; :class:`~nnecon.results.backtest.Backtest` shows it."""

    forecasts: pd.DataFrame
    choices: pd.DataFrame
    data: pd.DataFrame
    step: int
    alpha: float
    window: int | None
    descriptions: Mapping[str, str]
    reference: str
    _table: ForecastTable

    def __init__(
        self,
        forecasts: pd.DataFrame,
        choices: pd.DataFrame,
        data: pd.DataFrame,
        *,
        step: int,
        alpha: float,
        window: int | None,
        descriptions: Mapping[str, str],
        reference: str,
    ) -> None:
        self.__dict__.update(
            forecasts=forecasts,
            choices=choices,
            data=data,
            step=step,
            alpha=alpha,
            window=window,
            descriptions=dict(descriptions),
            reference=reference,
            _table=ForecastTable(forecasts, data, alpha, step, window),
        )

    # -- what is there ----------------------------------------------------------------------------

    @property
    def models(self) -> list[str]:
        """Names of the models, in the order given."""
        return list(self.descriptions)

    @property
    def variables(self) -> list[str]:
        """Columns that are forecast."""
        return list(self.data.columns)

    @property
    def horizons(self) -> list[int]:
        """Horizons, in periods."""
        return list(range(1, int(self.forecasts["horizon"].max()) + 1))

    @property
    def cutoffs(self) -> pd.Index:
        """Last periods known, one an origin."""
        return pd.Index(self.forecasts["cutoff"].unique(), name="cutoff")

    def errors(self, variable: str, horizon: int = 1) -> pd.DataFrame:
        """Forecast errors (outcome less forecast): one row a cutoff, one column a model."""
        return self._table.errors(variable, horizon)

    def losses(self, variable: str, horizon: int = 1, measure: str = "rmse") -> pd.DataFrame:
        """Losses of which a measure is the mean: one row a cutoff, one column a model.

        Parameters
        ----------
        variable : str
            Which variable.
        horizon : int
            Periods ahead.
        measure : str
            A column of :meth:`accuracy`; ``"rmse"`` stands for squared errors. Models without
            intervals have no losses of intervals.
        """
        return self._table.losses(variable, horizon, measure)

    # -- accuracy ---------------------------------------------------------------------------------

    def accuracy(self, season: int = 1) -> pd.DataFrame:
        """Accuracy by variable, horizon and model.

        Parameters
        ----------
        season : int
            Periods of the change that scales ``mase``: four compares quarterly data with the
            quarter a year ago.

        Returns
        -------
        DataFrame
            Number of forecasts ``n`` and the measures of
            :mod:`nnecon.inference.accuracy.measures`; those of intervals are missing for models
            without.
        """
        rows = {
            (variable, horizon, model): accuracy(scored)
            for variable, horizon in self._table.cells()
            for model, scored in self._table.scored(variable, horizon, season)[1].items()
        }
        index = pd.MultiIndex.from_tuples(rows, names=["variable", "horizon", "model"])
        return pd.DataFrame(list(rows.values()), index=index)

    def relative(self, reference: str | None = None, measure: str = "rmse") -> RelativeAccuracy:
        """Accuracy over that of a reference, with Diebold-Mariano tests.

        Parameters
        ----------
        reference : str, optional
            A model; by default the first baseline.
        measure : str
            A column of :meth:`accuracy` of which less is better.
        """
        return comparisons.relative(self._table, self.models, self._model(reference), measure)

    def coverage(self) -> pd.DataFrame:
        """How often intervals hold the outcome, by variable, horizon and model.

        Returns
        -------
        DataFrame
            ``n``, ``coverage`` and its standard error ``se`` (long-run, as overlapping forecasts
            err together), the ``nominal`` level, and the mean ``width`` of the intervals. Models
            without intervals are left out.
        """
        return comparisons.coverage(self._table)

    # -- tests ------------------------------------------------------------------------------------

    def diebold_mariano(
        self, reference: str | None = None, measure: str = "rmse", **options: Any
    ) -> pd.DataFrame:
        """Test whether each model is as accurate as a reference; for models that are not nested.

        Parameters
        ----------
        reference : str, optional
            A model; by default the first baseline.
        measure : str
            What is compared: ``"rmse"`` (squared errors), ``"mae"``, ``"crps"``, ...
        **options
            Those of :func:`nnecon.inference.accuracy.diebold_mariano`: ``lags``, ``kernel``,
            ``alternative``, ``correction``.

        Returns
        -------
        DataFrame
            By variable, horizon and model: ``statistic`` (negative where the model is better),
            ``pvalue`` and a ``sentence``.
        """

        def test(loss, against, names, overlap):
            return diebold_mariano(loss, against, names=names, horizon=overlap, **options)

        return comparisons.tests(self._table, self._model(reference), measure, test)

    def giacomini_white(
        self, reference: str | None = None, measure: str = "rmse", **options: Any
    ) -> pd.DataFrame:
        """Test whether each method is expected to be as accurate as a reference, given the past.

        Models may be nested, if they are estimated on a rolling window or once.

        Parameters
        ----------
        reference, measure
            As in :meth:`diebold_mariano`.
        **options
            Those of :func:`nnecon.inference.accuracy.giacomini_white`: ``instruments``, ``lags``,
            ``kernel``.

        Returns
        -------
        DataFrame
        """

        def test(loss, against, names, overlap):
            return giacomini_white(loss, against, names=names, horizon=overlap, **options)

        return comparisons.tests(self._table, self._model(reference), measure, test)

    def clark_west(self, reference: str | None = None, **options: Any) -> pd.DataFrame:
        """Test whether each model is more accurate than a reference that it contains.

        It is for models of which the reference is a special case, as the VAR is of a network with a
        linear part of the same lags.

        Parameters
        ----------
        reference : str, optional
            The smaller model; by default the first baseline.
        **options
            Those of :func:`nnecon.inference.accuracy.clark_west`: ``lags``, ``kernel``.

        Returns
        -------
        DataFrame
            By variable, horizon and model: ``statistic`` (positive where the model is better),
            ``pvalue`` (one-sided) and a ``sentence``.
        """

        def test(errors, against, names, overlap):
            return clark_west(against, errors, names[::-1], horizon=overlap, **options)

        return comparisons.tests(self._table, self._model(reference), None, test)

    def model_confidence_set(self, measure: str = "rmse", **options: Any) -> pd.DataFrame:
        """Find the models that may be the best, by variable and horizon.

        Parameters
        ----------
        measure : str
            What is compared.
        **options
            Those of :func:`nnecon.inference.accuracy.model_confidence_set`: ``size``, ``block``,
            ``reps``, ``rng``.

        Returns
        -------
        DataFrame
            By variable, horizon and model: ``pvalue`` and whether the model is ``included``. With
            less than ten forecasts nothing can be told: p-values are missing, all are included.
        """
        return comparisons.confidence_sets(self._table, measure, **options)

    def _model(self, name: str | None) -> str:
        """A model's name; the reference where none is given."""
        name = self.reference if name is None else name
        if name not in self.descriptions:
            raise SpecificationError(
                f"unknown model {name!r}; {suggestion(str(name), self.models)}".replace(
                    "columns", "models"
                )
            )
        return name
