"""New data for an estimated forecaster: other periods, periods that follow on, estimation anew."""

from typing import Any, Self

from nnecon.data.series import Series
from nnecon.data.time_axis import label_text
from nnecon.exceptions import ForecastError, SpecificationError
from nnecon.results.equations import EquationResults
from nnecon.results.future import continued


class NewData(EquationResults):
    """What results do with other data than those of the estimation."""

    data: Series

    @property
    def alphas_chosen(self) -> dict[str, Any]:
        """Penalties as ``fit`` takes them."""
        raise NotImplementedError

    def on(self, data: Series, begin: int = 0) -> Self:
        """The same estimates on other data, with fitted values from row ``begin`` on."""
        raise NotImplementedError

    def apply(self, data: Any) -> Self:
        """The same parameters on other data, from the end of which forecasts go on.

        Parameters
        ----------
        data : DataFrame
            With the columns of the estimation and an index of the same kind and frequency.
        """
        series = self.model.series_in(data)
        # refuses another kind of index or another frequency
        self.model.series.axis.ordinals(series.index)
        return self.on(series)

    def extend(self, data: Any) -> Self:
        """The same parameters on new periods alone, which follow on the data.

        As statsmodels' ``extend``: fitted values and residuals are those of the new periods, which
        know the data before them, and forecasts go on from their end. :meth:`append` keeps the old
        periods too; :meth:`apply` forgets them.

        Parameters
        ----------
        data : DataFrame
            The periods that follow on, with the columns of the estimation.

        Returns
        -------
        ForecasterResults
        """
        frame = continued(self.data, data)
        if len(frame) == len(self.data.frame):
            raise ForecastError(
                "extend: there is no period after the data, which end at "
                f"{label_text(self.data.index[-1])}; append() takes revisions of old ones."
            )
        series = self.model.series_in(frame)
        return self.on(series, len(self.data.index))

    def append(self, data: Any, refit: bool = False, **options: Any) -> Self:
        """Results with new periods behind the data, with the same parameters or new ones.

        Parameters
        ----------
        data : DataFrame
            The periods that follow on, with the columns of the estimation. A period that is in the
            data already takes the new values, where these are there: late releases and revisions.
        refit : bool
            Whether to estimate anew on all data, at the penalties that were chosen and from the
            networks that were found.
        **options
            Of ``fit``, with ``refit``: ``alpha="cv"`` chooses penalties anew.

        Returns
        -------
        ForecasterResults
        """
        if options and not refit:
            raise SpecificationError(
                f"{next(iter(options))!r} is an option of fit(), which needs refit=True."
            )
        frame = continued(self.data, data)
        return self.refit(frame, **options) if refit else self.apply(frame)

    def refit(self, data: Any = None, **options: Any) -> Self:
        """Estimate the same specification anew, at the lags and penalties that were chosen.

        Parameters
        ----------
        data : DataFrame, optional
            Other data than those of these results.
        **options
            Of ``fit``; ``alpha="cv"`` chooses penalties anew.
        """
        if any(one.trained for one in self.equations) and "method" not in options:
            raise SpecificationError(
                "the networks were trained in mini-batches, in a way that the results do not keep: "
                "give method= again, for example method='adam'."
            )
        frame = self.data.frame if data is None else data
        model = self.model.on(frame, **self.model.pinned)
        draws = max(len(one.solutions) for one in self.equations)
        given: dict[str, Any] = {"alpha": self.alphas_chosen}
        if draws > 1:
            given["n_starts"] = draws
        same = model.network.n_params == self.model.network.n_params
        if same and "start" not in options:
            given["start"] = self
        return model.fit(**{**given, **options})
