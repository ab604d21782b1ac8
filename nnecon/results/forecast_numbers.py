"""The numbers of a forecaster: parameters, fit, criteria, the covariance of its shocks."""

from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd

from nnecon.data.series import Series
from nnecon.data.windows import Layout, standard_rows
from nnecon.exceptions import SpecificationError
from nnecon.inference.attention import attention_weights
from nnecon.inference.dynamics import Linear
from nnecon.nets import Attention
from nnecon.results.equations import Equation, linear_table
from nnecon.results.future import complete_rows, ordinals_from
from nnecon.results.new_data import NewData
from nnecon.results.path import CrossValidation, RegularizationPath
from nnecon.results.simulator import Simulator, system_of


class ForecasterNumbers(NewData):
    """What a forecaster has found; :class:`ForecasterResults` forecasts with it and shows it.

    Parameters
    ----------
    model
        The specification on the data of the estimation.
    equations : tuple of Equation
        One a series: targets, then predictors, whose equations are linear.
    search : str
        Starts and random numbers, as a phrase for the summary.
    data : Series, optional
        The data that forecasts go on from; by default those of the estimation.
    begin : int
        First row of the data whose fitted values are reported.
    """

    model: Any
    equations: tuple[Equation, ...]
    search: str
    data: Series
    begin: int

    def __init__(
        self,
        model: Any,
        equations: tuple[Equation, ...],
        search: str,
        data: Series | None = None,
        begin: int = 0,
    ) -> None:
        self.__dict__.update(
            model=model,
            equations=equations,
            search=search,
            data=model.series if data is None else data,
            begin=begin,
        )

    def on(self, data: Series, begin: int = 0) -> Self:
        """The same estimates on other data, with fitted values from row ``begin`` on."""
        return type(self)(self.model, self.equations, self.search, data, begin)

    # -- estimate ---------------------------------------------------------------------------------

    @property
    def _own(self) -> tuple[Equation, ...]:
        """Equations of the targets."""
        return self.equations[: len(self.targets)]

    @property
    def params(self) -> pd.DataFrame:
        """Linear part in the user's units, a row a regressor, a column a target.

        As ``params`` of statsmodels' VAR, which they equal at ``alpha=inf``. Beside a network they
        are its linear part alone; see :attr:`effects` for the whole. The mean over draws.
        """
        names = self.model.exog_names
        return pd.DataFrame(linear_table(self._own, len(names)), names, self.targets)

    @property
    def alphas_chosen(self) -> dict[str, float]:
        """Penalty of each target's network; infinite where its equation is the classical one."""
        return {equation.name: equation.alpha for equation in self._own}

    @property
    def alpha(self) -> pd.Series:
        """The same as a series."""
        return pd.Series(self.alphas_chosen, name="alpha")

    @property
    def edf(self) -> pd.Series:
        """Effective degrees of freedom of each equation, the linear part included."""
        return pd.Series({one.name: one.edf for one in self._own}, name="edf")

    @property
    def path(self) -> dict[str, RegularizationPath]:
        """Regularisation path of each target's equation, from the autoregression."""
        return {one.name: self._there(one.path, one.name) for one in self._own}

    @property
    def cv(self) -> dict[str, CrossValidation]:
        """Expanding-window errors of each target's network and autoregression."""
        return {one.name: self._there(one.cv, one.name) for one in self._own}

    def _there(self, found: Any, name: str) -> Any:
        if found is None:
            raise SpecificationError(
                f"the equation of {name!r} was estimated at a given penalty, without a path; fit "
                "with alpha='cv' or cv=5."
            )
        return found

    @property
    def student(self) -> bool:
        """Whether errors are Student-t."""
        return self.model.loss == "student"

    @property
    def tails(self) -> pd.DataFrame:
        """Student-t errors: ``df`` and ``scale`` in units of the target, a row a target."""
        found = {
            one.name: (one.tail.df, one.tail.scale * one.scaling.target_scale)
            for one in self._own
            if one.tail is not None
        }
        if not found:
            raise SpecificationError("errors are Gaussian; build the model with loss='student'.")
        return pd.DataFrame.from_dict(found, orient="index", columns=["df", "scale"])

    # -- fit --------------------------------------------------------------------------------------

    @property
    def nobs(self) -> int:
        """Rows of the estimation."""
        return len(self.model.sample.rows)

    @cached_property
    def _residuals(self) -> np.ndarray:
        """Residuals of all equations on the sample of the estimation, in their units."""
        values = [one.values(one.objective.inputs) for one in self.equations]
        return self.model.prepared.sample.target - np.column_stack(values)

    def _ordinals(self, count: int) -> np.ndarray:
        """Periods of ``count`` rows from the first of the data, as the model counts them."""
        return ordinals_from(self.model, self.data, count)

    @cached_property
    def _known(self) -> np.ndarray:
        """Known regressors at the periods of the data."""
        return self.model.known_values(self.data.exog, self._ordinals(len(self.data.index)))

    @cached_property
    def fittedvalues(self) -> pd.DataFrame:
        """Forecasts in the data, one period ahead or, of direct forecasts, several."""
        rows, index = complete_rows(self.model, self.data, self._known, self.begin)
        linear = rows[:, : self.model.layout.n_linear]
        columns = {
            one.name: one.values(standard_rows(one.scaling, rows)) + linear @ one.held.coefs
            for one in self._own
        }
        return pd.DataFrame(columns, index=index)

    @cached_property
    def resid(self) -> pd.DataFrame:
        """Actual less fitted values, a column a target; NaN where the actual value is missing."""
        m = len(self.targets)
        actual = pd.DataFrame(self.data.endog[:, :m], index=self.data.index, columns=self.targets)
        return actual.loc[self.fittedvalues.index] - self.fittedvalues

    @cached_property
    def effects(self) -> pd.DataFrame:
        """Average derivative of each one-step forecast by each lag, through line and network."""
        return pd.DataFrame({one.name: self._lag_effects(one) for one in self._own})

    def attention(self) -> dict[str, pd.DataFrame]:
        """How much each period of the window counts, by target, for attention networks.

        Returns
        -------
        dict of DataFrame
            A row a period of the sample, a column a lag, the oldest first; weights sum to one.
            With several heads or draws, their mean. Targets whose equation is linear are left out.
        """
        network = self.model.network
        if not isinstance(network, Attention):
            raise SpecificationError(
                f"{type(self.model).__name__} has no attention; use AttentionForecaster."
            )
        lags = range(network.window, 0, -1)
        frames = {}
        for one in self._own:
            live = [draw.params for draw in one.solutions if draw.penalty > 0]
            if live:
                own = one.network
                assert isinstance(own, Attention)
                found = attention_weights(own, np.stack(live), one.objective.inputs)
                frames[one.name] = pd.DataFrame(found, index=self.model.index, columns=lags)
        return frames

    @property
    def single(self) -> bool:
        """Whether statsmodels' AutoReg is the classical model: one series, recursive forecasts."""
        return len(self.equations) == 1 and not self.model.direct

    @cached_property
    def _covariance(self) -> np.ndarray:
        r"""Covariance of the shocks of all series.

        :math:`\hat\sigma_{ij} = e_i'e_j / \sqrt{d_i d_j}` with
        :math:`d_i = n - \text{edf}_i`, as in statsmodels' VAR. AutoReg divides by n, and so the
        classical coefficients are not counted where there is one series.
        """
        return self._shocks.T @ self._shocks / self.nobs

    @cached_property
    def _shocks(self) -> np.ndarray:
        """Residuals of all equations, enlarged for the degrees of freedom that they lack."""
        spent = np.array([equation.edf for equation in self.equations])
        if self.single:
            spent = spent - self.model.layout.n_linear
        return self._residuals * np.sqrt(self.nobs / np.maximum(self.nobs - spent, 1.0))

    @property
    def sigma_u(self) -> pd.DataFrame:
        """Covariance of the targets' shocks, divided by degrees of freedom as in the VAR."""
        m = len(self.targets)
        return pd.DataFrame(self._covariance[:m, :m], index=self.targets, columns=self.targets)

    @cached_property
    def _log_determinant(self) -> float:
        """Log determinant of the maximum likelihood estimate of the targets' covariance."""
        resid = self._residuals[:, : len(self.targets)]
        return float(np.linalg.slogdet(resid.T @ resid / self.nobs)[1])

    @property
    def llf(self) -> float:
        """Log-likelihood of the targets: Gaussian, or of Student-t errors equation by equation."""
        if self.student:
            return float(sum(one.log_density().sum() for one in self._own))
        m = len(self.targets)
        return -0.5 * self.nobs * (m * np.log(2.0 * np.pi) + self._log_determinant + m)

    def information_criterion(self, penalty: float) -> float:
        """Criterion that charges ``penalty`` for a degree of freedom.

        With several series, the log determinant plus ``penalty * edf / n`` as in statsmodels' VAR;
        with one, ``-2 llf + penalty (edf + 1)`` as in its AutoReg. With Student-t errors,
        ``-2 llf + penalty (edf + 2 m)``, m targets having a scale and degrees of freedom each.
        """
        spent = float(self.edf.sum())
        if self.student:
            return -2.0 * self.llf + penalty * (spent + 2.0 * len(self.targets))
        if self.single:
            return -2.0 * self.llf + penalty * (spent + 1.0)
        return self._log_determinant + penalty * spent / self.nobs

    @property
    def aic(self) -> float:
        """Akaike's criterion with effective degrees of freedom."""
        return self.information_criterion(2.0)

    @property
    def bic(self) -> float:
        """Schwarz's criterion with effective degrees of freedom."""
        return self.information_criterion(float(np.log(self.nobs)))

    @property
    def hqic(self) -> float:
        """Hannan and Quinn's criterion with effective degrees of freedom."""
        return self.information_criterion(float(2.0 * np.log(np.log(self.nobs))))

    def _check_system(self) -> None:
        """Refuse what needs a system that can be iterated."""
        if self.model.direct:
            raise SpecificationError(
                "these are the equations of one horizon: forecast with the results of the fit, "
                "which hold all horizons; simulated paths and responses need strategy='recursive'."
            )

    # -- the linear system ------------------------------------------------------------------------

    @cached_property
    def _linear_system(self) -> Linear:
        """The system where all equations are linear."""
        table = linear_table(self.equations, self.model.layout.n_linear)
        return linear_system(self.model.layout, table, self._covariance)

    @cached_property
    def _classical(self) -> Linear:
        """The vector autoregression on the same rows, by least squares."""
        sample, layout = self.model.sample, self.model.layout
        table = np.column_stack([one.held.coefs for one in self.equations])
        net = self.model.prepared.sample.target
        left = self.nobs - np.array([one.held.edf for one in self.equations])
        for at, columns in enumerate(self.model.linear_columns):
            own = sample.linear[:, columns]
            table[columns, at] = np.linalg.lstsq(own, net[:, at], rcond=None)[0]
            left[at] -= 0 if self.single else len(columns)
        resid = (sample.target - sample.linear @ table) / np.sqrt(left)
        return linear_system(layout, table, resid.T @ resid)

    @property
    def classical_name(self) -> str:
        """What the equations are at an infinite penalty."""
        if self.single:
            return "AR"
        return "VAR" if self.model.own_lags is None else "near-VAR"

    @cached_property
    def _plain(self) -> Self:
        """Results with the classical equations in the place of the networks."""
        equations = tuple(one.classical() for one in self.equations)
        return type(self)(self.model, equations, self.search, self.data, self.begin)

    @cached_property
    def _simulator(self) -> Simulator:
        """The system where some equations are not."""
        system = system_of(self.model.layout, self.equations, self._covariance)
        return Simulator(system, self.equations, self._shocks - self._shocks.mean(axis=0))


def linear_system(layout: Layout, table: np.ndarray, covariance: np.ndarray) -> Linear:
    """Coefficient matrices from coefficients (p, m) of the linear regressors."""
    m, order = layout.n_series, max(layout.lags, default=0)
    coefs = np.zeros((order, m, m))
    fixed = 1 + (layout.n_known if layout.known_linear else 0)
    for at, lag in enumerate(layout.lags):
        coefs[lag - 1] = table[fixed + at * m : fixed + (at + 1) * m].T
    return Linear(coefs, table[:fixed], covariance)
