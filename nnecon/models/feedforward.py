"""Models on a feed-forward network beside a linear part: what all their families share."""

import difflib
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pandas as pd

from nnecon.data.design import Design
from nnecon.data.identification import check_rank
from nnecon.data.scaling import Scaling
from nnecon.data.variables import columns_by_variable
from nnecon.estimation.ensemble import mean_loss
from nnecon.estimation.estimate import certify
from nnecon.estimation.kernels import fitted, fitted_many
from nnecon.estimation.penalties import (
    ElasticNet,
    GroupLasso,
    Penalty,
    Ridge,
    input_groups,
)
from nnecon.estimation.problem import Chain, Objective, Solution
from nnecon.exceptions import DataError, SpecificationError
from nnecon.models.base import Model
from nnecon.models.specification import Specification
from nnecon.nets import Dense, Network
from nnecon.results.base import CovarianceSpec, Estimate

FIT_ARGUMENTS = frozenset(
    {
        *("alpha", "alphas", "L1_wt", "group_inputs", "cv", "groups", "n_starts", "ensemble"),
        *("method", "rng", "cov_type", "cov_kwds", "use_t", "progress", "executor", "checkpoint"),
    }
)


class FeedForward(Model):
    """A network with a linear part, or the user's own function, on standardised data.

    A family says ``results_class``, ``loglike``, ``classical`` and how it is ``fit``.
    """

    specification: Specification
    network: Network
    results_class: type[Any]

    def _specify(self, design: Design, /, **specification: Any) -> Mapping[str, Any]:
        known = ("hidden", "activation", "linear_part", "network", "start_params")
        for name in specification:
            if name not in known:
                belongs = "; it belongs to fit()" if name in FIT_ARGUMENTS else ""
                close = difflib.get_close_matches(name, [*known, "weights", "missing"], 1)
                hint = f"; did you mean {close[0]!r}?" if close and not belongs else ""
                raise SpecificationError(
                    f"{type(self).__name__} has no argument {name!r}{belongs}{hint}"
                )
        checked = Specification.check(**specification)
        sample = design.sample
        return {
            "specification": checked,
            "network": checked.network(sample.exog.shape[1], sample.const_index),
        }

    @property
    def frame(self) -> Any:
        """The DataFrame that the formula was given; None in the array interface."""
        return self.design.frame

    def on(self, data: Any) -> Self:
        """The same formula and network on other data, for example those known at an earlier date.

        Parameters
        ----------
        data : DataFrame
            With the columns of the formula.
        """
        if self.weighted:
            raise SpecificationError(
                "a model with weights= cannot be built on other data, whose weights are not known."
            )
        return self._from_design(self.design.on(data), **self.specification.arguments)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What a file has to hold to build the model again, as JSON and arrays."""
        meta, arrays = super().state()
        described, held = self.specification.state()
        return meta | {"specification": described}, arrays | held

    # -- names and meaning ------------------------------------------------------------------------

    @property
    def description(self) -> str:
        """The network in a few words."""
        return self.specification.description

    @property
    def has_network(self) -> bool:
        """Whether there is a penalised neural part."""
        return isinstance(self.network, Dense) and bool(self.network.hidden)

    @property
    def nested(self) -> bool:
        """Whether the model contains a classical one, to which the penalty shrinks it."""
        return isinstance(self.network, Dense)

    @property
    def interpretable(self) -> bool:
        """Whether single parameters mean something by themselves."""
        return not self.has_network

    @property
    def param_names(self) -> list[str]:
        """Names of the parameters."""
        if not isinstance(self.network, Dense):
            return list(self.specification.param_names)
        scaling = self.scaling
        names = np.array(self.exog_names)
        linear, inputs = names[scaling.linear], names[scaling.inputs]
        return self.network.names(tuple(linear), tuple(inputs))

    @property
    def k_constant(self) -> int:
        """One where the model spans a constant, explicitly or through dummies."""
        if not isinstance(self.network, Dense) or self.design.sample.const_index is not None:
            return 1
        ones = np.ones(len(self.endog))
        share = np.linalg.lstsq(self.exog, ones, rcond=None)[0]
        return int(np.abs(self.exog @ share - ones).max() < 1e-8)

    @property
    def scaling(self) -> Scaling:
        """Standardisation by the sample's weighted moments."""
        if not isinstance(self.network, Dense):
            return Scaling.identity(self.exog.shape[1])
        return Scaling.standardise(
            self.endog,
            self.exog,
            self.weights,
            self.design.sample.const_index,
            self.specification.linear_part,
            bool(self.network.hidden),
        )

    def user_units(self, scaling: Scaling) -> tuple[np.ndarray, np.ndarray]:
        """``(T, t)`` such that ``T @ standardised + t`` are the parameters in the user's units."""
        if not isinstance(self.network, Dense):
            return np.eye(self.network.n_params), np.zeros(self.network.n_params)
        return self.network.user_units(
            scaling.linear_shift,
            scaling.linear_scale,
            scaling.const,
            scaling.input_shift,
            scaling.input_scale,
            scaling.target_shift,
            scaling.target_scale,
        )

    # -- results without estimation ---------------------------------------------------------------

    def results_at(
        self,
        params: Any,
        alpha: float = 0.0,
        *,
        cov_type: str | None = None,
        cov_kwds: Mapping[str, Any] | None = None,
        use_t: bool | None = None,
    ) -> Any:
        """Results at any parameter vector, in the user's units, without estimating.

        Parameters
        ----------
        params : array_like of shape (k,)
            Parameters, in the order of ``param_names``.
        alpha : float
            Penalty that the covariance and effective degrees of freedom take into account.
        cov_type, cov_kwds, use_t
            As in :meth:`fit`.
        """
        values = np.asarray(params, dtype=float)
        if values.shape != (self.network.n_params,) or not np.isfinite(values).all():
            raise SpecificationError(
                f"params: give {self.network.n_params} finite numbers, in the order of param_names."
            )
        spec = self._cov_spec(cov_type, cov_kwds, use_t, None)
        return self._results_at(values, float(alpha), {}, spec)

    def refit(self, endog: np.ndarray, estimate: Estimate, rng: int) -> Any:
        """Estimate another dependent variable on the same rows as ``estimate`` was, in every step.

        Grid, folds, starts and the choice of the penalty are those of ``estimate``; random starts
        are new.

        Parameters
        ----------
        endog : ndarray of shape (n,)
            The dependent variable.
        estimate : Estimate
            Of this model.
        rng : int
            Seed of the starts.
        """
        facts, sample = estimate.facts, self.design.sample
        family: Any = type(self)
        model = family(
            pd.Series(endog, index=sample.index, name=self.endog_names),
            pd.DataFrame(self.exog, index=sample.index, columns=self.exog_names),
            weights=self.weights if self.weighted else None,
            **self.specification.arguments,
        )
        return model.fit(
            facts["alpha"],
            facts["alphas"],
            L1_wt=facts["L1_wt"],
            group_inputs=facts["group_inputs"],
            cv=estimate.cv,
            n_starts=facts["n_starts"],
            method=facts["method"],
            rng=rng,
            cov_type="nonrobust",
            progress=False,
        )

    def _results_at(
        self, values: np.ndarray, alpha: float, settings: Mapping[str, Any], spec: CovarianceSpec
    ) -> Any:
        """Results at parameters in the user's units, with the penalty that ``settings`` name."""
        objective, scaling = self._objective(
            settings.get("L1_wt", 0.0), settings.get("group_inputs", False)
        )
        transform, offset = self.user_units(scaling)
        standardised = np.linalg.solve(transform, values - offset)
        chain = Chain.single(self.weights, standardised, alpha)
        solution = certify(objective, standardised, chain, "none (given parameters)", 0)
        estimate = Estimate(
            solution,
            objective,
            scaling,
            self.weights,
            "the user",
            "given parameters",
            self.classical(spec),
        )
        return self.results_class(self, estimate, spec)

    def restore(self, solution: Solution, spec: CovarianceSpec, **facts: Any) -> Any:
        """Results from a solution that was estimated before, as :func:`nnecon.load` needs them."""
        settings = facts.get("facts", {})
        objective, scaling = self._objective(
            settings.get("L1_wt", 0.0), settings.get("group_inputs", False)
        )
        loss = mean_loss(objective, solution.params, self.weights)
        if not np.isclose(loss, solution.loss, rtol=1e-6, atol=1e-25):
            raise SpecificationError(
                f"the saved estimate does not fit its data any more (mean loss {loss:.6g} instead "
                f"of {solution.loss:.6g}): are these the functions that the model was built with?"
            )
        baseline = self.classical(spec)
        estimate = Estimate(solution, objective, scaling, self.weights, baseline=baseline, **facts)
        return self.results_class(self, estimate, spec)

    def predict(self, params: Any, exog: Any = None) -> np.ndarray:
        """Predicted means at a parameter vector in the user's units, shape (m,).

        Parameters of several networks in a row, as those of an ensemble, give their mean.
        """
        scaling = self.scaling
        transform, offset = self.user_units(scaling)
        members = np.asarray(params, dtype=float).reshape(-1, self.network.n_params)
        standardised = np.linalg.solve(transform, (members - offset).T).T
        columns, _ = self.design.exog_for(exog)
        values = fitted_many(self.network, standardised, scaling.rows(columns))
        return scaling.restore(values.mean(axis=0))

    def _objective(
        self, L1_wt: float = 0.0, group_inputs: bool = False
    ) -> tuple[Objective, Scaling]:
        scaling, network = self.scaling, self.network
        penalty: Penalty = Ridge(network.penalised)
        if L1_wt and group_inputs and isinstance(network, Dense):
            variables = columns_by_variable(self.design)
            groups = input_groups(network, variables, scaling.inputs).values()
            penalty = GroupLasso(network.penalised, L1_wt, tuple(groups))
        elif L1_wt:
            penalty = ElasticNet(network.penalised, L1_wt)
        rows, target = scaling.rows(self.exog), scaling.target(self.endog)
        return Objective(self.network, rows, target, penalty), scaling

    def _check_sample(self) -> None:
        linear = self.specification.linear_part
        check_rank(self.design, self.weights, linear)
        n_obs, columns = self.exog.shape
        if linear and n_obs == columns:
            raise DataError(
                f"{n_obs} rows and a linear part of {columns} columns leave nothing to estimate "
                "the variance from; leave columns out, or fit a network alone with "
                "linear_part=False."
            )
        spread = np.ptp(self.endog) if self.k_constant else np.abs(self.endog).max()
        if spread <= 1e-14 * np.abs(self.endog).max():
            raise DataError(
                f"the dependent variable '{self.endog_names}' does not vary: it is "
                f"{self.endog[0]:g} in all {n_obs} rows, and there is nothing to explain."
            )

    def _check_start(self, objective: Objective, start: np.ndarray) -> None:
        values = fitted(self.network, start, objective.inputs)
        if np.isfinite(values).all():
            return
        at = int(np.flatnonzero(~np.isfinite(values))[0])
        raise SpecificationError(
            f"at start_params the network gives {values[at]:g} for row "
            f"{self.design.sample.index[at]}; choose start values at which it is finite for all "
            "rows."
        )

    def classical(self, spec: CovarianceSpec) -> Any:
        """The classical model on the same rows, with a covariance, as statsmodels' results."""
        raise TypeError(f"{type(self).__name__} does not say what its classical model is.")
