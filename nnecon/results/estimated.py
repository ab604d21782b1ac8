"""An estimate and its parameters: what everything that is said about it starts from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd

from nnecon.data.scaling import Scaling
from nnecon.estimation.problem import Objective, Solution
from nnecon.exceptions import SpecificationError
from nnecon.inference.covariance_kinds import check
from nnecon.nets import Dense, Ensemble, Network
from nnecon.results.immutable import Immutable
from nnecon.results.path import CrossValidation, RegularizationPath


@dataclass(frozen=True, slots=True, eq=False)
class CovarianceSpec:
    """The covariance that was asked for: ``kind``, ``options`` as in statsmodels, ``use_t``."""

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    use_t: bool | None = None

    def __post_init__(self) -> None:
        if not (self.use_t is None or isinstance(self.use_t, bool | np.bool_)):
            raise SpecificationError(
                f"use_t={self.use_t!r}: give True for the t, False for the normal distribution, or "
                "None for the usual one of this covariance."
            )


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """What ``fit`` hands to the results.

    Attributes
    ----------
    solution, objective, scaling
        The estimate in standardised coordinates, its problem, and the way back. Of an ensemble
        the parameters are those of all members, stacked; the problem is that of one.
    weights : ndarray of shape (n,)
        The user's observation weights.
    alpha_rule : str
        How the penalty was chosen, as a phrase for the summary.
    search : str
        Starts and random numbers, as a phrase for the summary.
    baseline
        The classical model's results, from statsmodels, with the covariance of the results. None
        where that is another than at the fit: they are made when they are asked for.
    path, cv
        None where they were not computed.
    facts : mapping
        What is needed to write the fit to a file and to repeat it.
    """

    solution: Solution
    objective: Objective
    scaling: Scaling
    weights: np.ndarray
    alpha_rule: str
    search: str
    baseline: Any
    path: RegularizationPath | None = None
    cv: CrossValidation | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class Estimated(Immutable):
    """An estimate, its parameters in the user's units, and which covariance was asked for."""

    model: Any
    estimate: Estimate
    cov_spec: CovarianceSpec

    def __init__(self, model: Any, estimate: Estimate, cov_spec: CovarianceSpec):
        self.__dict__.update(model=model, estimate=estimate, cov_spec=cov_spec)
        check(cov_spec.kind, cov_spec.options, len(estimate.weights))
        if self.n_networks > 1:
            # statsmodels' tables read names off the model, which single networks share
            self.__dict__["model"] = model.labelled(self._param_names)

    def with_cov(self, cov_type: str, use_t: bool | None = None, **cov_kwds: Any) -> Self:
        """Results with another covariance of the parameters, and of the classical model's.

        Parameters
        ----------
        cov_type : str
            One of :data:`nnecon.inference.covariance_kinds.KINDS`.
        use_t : bool, optional
            t instead of normal distribution; by default for ``"nonrobust"`` only.
        **cov_kwds
            Options of this kind, as in statsmodels: see
            :mod:`nnecon.inference.covariance_kinds`. ``groups`` and ``time`` are names of columns
            or one label a row. A bootstrap without ``kind`` and ``groups`` draws the groups of
            these results, where they are clustered.

        Examples
        --------
        >>> import nnecon as ne
        >>> macro = ne.datasets.load_macro()
        >>> model = ne.NeuralRegression.from_formula("growth ~ lag(growth, 1)", macro, hidden=())
        >>> results = model.fit().with_cov("HAC", maxlags="andrews", kernel="parzen")
        >>> results.cov_kwds["description"]
        'HAC (robust to unequal variances and autocorrelation), parzen, bandwidth 5.62 (andrews)'
        """
        if cov_type == "bootstrap" and not {"kind", "groups"} & set(cov_kwds):
            cov_kwds = {**cov_kwds, **self._groups_to_draw()}
        options = self.model.cov_options(cov_type, cov_kwds)
        estimate = replace(self.estimate, baseline=None)
        return type(self)(self.model, estimate, CovarianceSpec(cov_type, options, use_t))

    def _groups_to_draw(self) -> dict[str, Any]:
        """Groups of a clustered covariance, which a bootstrap without a kind draws as a whole."""
        kind, groups = self.cov_spec.kind, self.cov_spec.options.get("groups")
        if kind == "hac-groupsum" or (groups is not None and np.ndim(groups) == 2):
            raise SpecificationError(
                f"these errors are of cov_type={kind!r}, with dependence in two ways, and no "
                "bootstrap draws two; give kind= and groups= for the one that matters."
            )
        return {} if groups is None else {"groups": groups}

    @property
    def solution(self) -> Solution:
        """Solver's report: status, certificate, iterations, objective."""
        return self.estimate.solution

    @property
    def alpha(self) -> float:
        """Penalty strength; infinite where the estimate is the classical model."""
        return self.estimate.solution.alpha

    @property
    def n_networks(self) -> int:
        """Networks whose mean is the estimate; more than one in an ensemble."""
        return len(self.solution.params) // self.model.network.n_params

    @property
    def _network(self) -> Network:
        member = self.model.network
        if self.n_networks > 1 and isinstance(member, Dense):
            return Ensemble(member, self.n_networks)
        return member

    @property
    def _members(self) -> np.ndarray:
        """Standardised parameters, a row a network."""
        return self.solution.params.reshape(self.n_networks, -1)

    @cached_property
    def _map(self) -> tuple[np.ndarray, np.ndarray]:
        network, plain = self._network, self.model.user_units(self.estimate.scaling)
        return network.user_units(*plain) if isinstance(network, Ensemble) else plain

    @property
    def _param_names(self) -> list[str]:
        network, plain = self._network, self.model.param_names
        return network.names(plain) if isinstance(network, Ensemble) else plain

    @cached_property
    def params(self) -> pd.Series:
        """Parameters in the user's units; of an ensemble ``net1.``, ``net2.``, ... in a row."""
        transform, offset = self._map
        return pd.Series(transform @ self.solution.params + offset, index=self._param_names)
