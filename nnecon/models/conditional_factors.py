"""ConditionalAutoencoder: factors of a panel of assets whose loadings depend on characteristics."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from inspect import signature
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import numpy as np

from nnecon.data.asset_panel import AssetPanel, panel_of_arrays, panel_of_design, panel_of_formula
from nnecon.data.design import Design
from nnecon.data.names import caller_namespace
from nnecon.estimation.execution import Execution, one_blas_thread
from nnecon.estimation.folds import Folds
from nnecon.estimation.random_numbers import generator
from nnecon.estimation.resampling import Splitter, make_folds
from nnecon.estimation.splitters import BlockedFolds
from nnecon.exceptions import SpecificationError
from nnecon.inference.conditional_loadings import LinearLoadings, NetworkLoadings
from nnecon.models.conditional_estimation import (
    LoadingTask,
    check_periods,
    estimate_loadings,
    sums_of,
)
from nnecon.models.factor_estimation import CONVERGED
from nnecon.models.factor_penalties import read_penalty, with_penalty, words
from nnecon.models.forecast_settings import read_count, read_units
from nnecon.models.settings import read_alphas
from nnecon.nets.activations import ACTIVATIONS
from nnecon.nets.conditional import ConditionalLoadings
from nnecon.results.archive import under
from nnecon.results.conditional import ConditionalAutoencoderResults, period_cv_from_state
from nnecon.results.factor_numbers import FactorFacts
from nnecon.results.factor_state import path_from_state
from nnecon.results.immutable import Immutable
from nnecon.results.progress import progress_bar

LARGEST, SMALLEST = 0.03, 3e-5
"""Ends of the default grid of penalties."""


class ConditionalAutoencoder(Immutable):
    r"""Latent factors of many assets, with loadings that are a function of characteristics.

    The return of asset i in period t is

    .. math::

        r_{it} = \beta(z_{it})' f_t + u_{it}, \qquad \beta(z) = \Gamma' z + W' h(z),

    with layers h of hidden units; :math:`f_t` is the regression of the period's returns on the
    loadings. Units are penalised, :math:`\Gamma` is not: at ``alpha=inf`` or with ``hidden=()`` the
    model is the instrumented principal components (IPCA) of Kelly, Pruitt and Su (2019), and in
    between it is the conditional autoencoder of Gu, Kelly and Xiu (2021) with a linear part.

    Characteristics are taken as dated: to explain returns by what was known before, lag them first,
    asset by asset.

    Parameters
    ----------
    endog : array_like of shape (n,)
        Returns, a row an asset and period.
    exog : array_like of shape (n, L)
        Characteristics, with a column of ones where a constant is wanted. Panels may be
        unbalanced.
    entity, time : str or array_like, optional
        Asset and period of each row: names of columns or levels of the index (in the array
        interface also values). By default the two levels of the index, as in linearmodels.
    k_factors : int
        Number of factors.
    hidden : int or tuple of int
        Units of each hidden layer; ``()`` is IPCA.
    activation : str
        As in :class:`nnecon.NeuralRegression`.
    linear_part : bool
        Whether :math:`\Gamma` is in the model; False gives the network alone, with a constant where
        there is one. IPCA still competes at ``alpha=inf``.
    ranks : bool
        Whether characteristics are replaced by their ranks within each period, between -1/2 and
        1/2, as Gu, Kelly and Xiu do; new rows are ranked among themselves.
    missing : {"drop", "raise"}
        Rows with a missing return or characteristic are left out and counted, or are an error.

    Raises
    ------
    DataError
        An asset twice in a period, collinear characteristics, infinite values, periods with fewer
        assets than factors.
    SpecificationError
        Arguments that contradict each other or the panel.

    References
    ----------
    Gu, S., B. Kelly and D. Xiu (2021), Autoencoder asset pricing models, Journal of Econometrics
    222, 429-450. Kelly, B. T., S. Pruitt and Y. Su (2019), Characteristics are covariances: A
    unified model of risk and return, Journal of Financial Economics 134, 501-524.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import nnecon as ne
    >>> g = np.random.default_rng(0)
    >>> month, asset = np.repeat(np.arange(60), 40), np.tile(np.arange(40), 60)
    >>> size, factor = g.standard_normal(2400), g.standard_normal(60)[month]
    >>> ret = (0.5 + size**2) * factor + g.standard_normal(2400)
    >>> data = pd.DataFrame({"ret": ret, "size": size, "asset": asset, "month": month})
    >>> model = ne.ConditionalAutoencoder.from_formula(
    ...     "ret ~ size", data, entity="asset", time="month", hidden=4
    ... )
    >>> results = model.fit(alpha=0.001)
    >>> bool(results.rsquare_total() > results.compare().frame.loc["Total R-squared", "IPCA"] + 0.1)
    True
    """

    panel: AssetPanel
    k_factors: int
    hidden: tuple[int, ...]
    activation: str
    linear_part: bool
    ranks: bool

    def __init__(
        self,
        endog: Any,
        exog: Any,
        entity: Any = None,
        time: Any = None,
        k_factors: int = 1,
        hidden: Sequence[int] | int = (16,),
        activation: str = "tanh",
        *,
        linear_part: bool = True,
        ranks: bool = False,
        missing: str = "drop",
    ) -> None:
        _check_flags(ranks=ranks, linear_part=linear_part)
        panel = panel_of_arrays(endog, exog, entity, time, missing, bool(ranks))
        self._set_up(panel, k_factors, hidden, activation, linear_part)

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: Any,
        entity: Any = None,
        time: Any = None,
        *,
        ranks: bool = False,
        missing: str = "drop",
        **specification: Any,
    ) -> Self:
        """Build the model from a formula and a long frame.

        Parameters
        ----------
        formula : str
            ``"ret ~ size + value + mom"``; a constant is among the characteristics unless the
            formula says ``0 +``. Lags have to be columns of the data.
        data : DataFrame
            A row an asset and period, in any order.
        entity, time : str or array_like, optional
            Columns, levels of the index or labels of the rows; by default the two levels of the
            index.
        ranks, missing
            As in the constructor.
        **specification
            ``k_factors``, ``hidden``, ``activation``, ``linear_part`` as in the constructor.
        """
        _check_flags(ranks=ranks)
        panel = panel_of_formula(
            formula, data, entity, time, missing, bool(ranks), caller_namespace(0)
        )
        return cls._of_panel(panel, **specification)

    @classmethod
    def _of_panel(cls, panel: AssetPanel, **specification: Any) -> Self:
        parameters = signature(cls.__init__).parameters
        names = ("k_factors", "hidden", "activation", "linear_part")
        unknown = next((name for name in specification if name not in names), None)
        if unknown is not None:
            raise SpecificationError(
                f"{cls.__name__} has no argument {unknown!r}; it has {', '.join(names)}."
            )
        model = cls.__new__(cls)
        model._set_up(panel, **{n: parameters[n].default for n in names} | specification)
        return model

    def _set_up(
        self, panel: AssetPanel, k_factors: Any, hidden: Any, activation: Any, linear_part: Any
    ) -> None:
        layers = read_units("hidden", hidden)
        if activation not in ACTIVATIONS:
            raise SpecificationError(
                f"activation={activation!r} is not known; choose one of {[*ACTIVATIONS]}."
            )
        _check_flags(linear_part=linear_part)
        if not layers and not linear_part:
            raise SpecificationError(
                "hidden=() with linear_part=False leaves nothing; give hidden units."
            )
        k, n_columns = read_count("k_factors", k_factors), len(panel.characteristics)
        if k > n_columns:
            raise SpecificationError(
                f"k_factors={k}, but linear loadings on {n_columns} characteristics have at most "
                f"{n_columns} factors; ask for fewer or give more characteristics."
            )
        if k >= len(panel.rows.periods):
            raise SpecificationError(
                f"k_factors={k}: the panel has {len(panel.rows.periods)} periods, and needs more "
                "periods than factors."
            )
        n_inputs = n_columns - (panel.const is not None)
        if layers and not n_inputs:
            raise SpecificationError("a network needs a characteristic beside the constant.")
        check_periods(panel, sums_of(panel), k)
        self.__dict__.update(
            panel=panel, k_factors=k, hidden=layers, activation=activation,
            linear_part=bool(linear_part), ranks=panel.ranks,
        )  # fmt: skip

    # -- what it is -------------------------------------------------------------------------------

    @property
    def characteristics(self) -> tuple[str, ...]:
        """Names of the characteristics, the constant among them."""
        return self.panel.characteristics

    @property
    def endog_names(self) -> str:
        """Name of the returns."""
        return self.panel.design.sample.endog_name

    @property
    def description(self) -> str:
        """The model in a few words."""
        words = f"{self.k_factors} factor{'s' * (self.k_factors > 1)}"
        ranks = ", ranked characteristics" if self.ranks else ""
        if not self.hidden:
            return f"{words}, linear{ranks}"
        sizes = "-".join(str(size) for size in self.hidden)
        alone = "" if self.linear_part else ", no linear part"
        return f"{words}, {sizes} {self.activation} units{alone}{ranks}"

    @property
    def plain_specification(self) -> dict[str, Any]:
        """Arguments of the constructor as JSON can hold them."""
        return {
            "k_factors": self.k_factors,
            "hidden": list(self.hidden),
            "activation": self.activation,
            "linear_part": self.linear_part,
        }

    def _task(self) -> LoadingTask:
        network, panel = None, self.panel
        if self.hidden:
            n_columns, constant = len(panel.characteristics), int(panel.const is not None)
            network = ConditionalLoadings(
                n_columns if self.linear_part else constant,
                n_columns - constant,
                self.hidden,
                self.k_factors,
                self.activation,
            )
        return LoadingTask(panel, network, self.k_factors, self.linear_part)

    @classmethod
    def restore(
        cls, meta: Mapping[str, Any], arrays: dict[str, np.ndarray], functions: Any = None
    ) -> ConditionalAutoencoderResults:
        """Results from what :func:`nnecon.load` read."""
        held = meta["model"]
        design = Design.from_state(held["design"], under(arrays, "design"), functions)
        model = cls._of_panel(panel_of_design(design, held["ranks"]), **held["specification"])
        linear = LinearLoadings(arrays["gamma"])
        mapping: Any = linear
        if "params" in arrays:
            task = model._task()
            assert task.network is not None
            mapping = NetworkLoadings(
                task.network, arrays["params"], task.scaling, model.panel.const, arrays["turn"]
            )
        return ConditionalAutoencoderResults(
            model,
            mapping,
            linear,
            FactorFacts(**meta["facts"]),
            path_from_state(meta, arrays),
            period_cv_from_state(dict(meta), arrays),
        )

    # -- fit --------------------------------------------------------------------------------------

    def fit(
        self,
        alpha: float | str = "cv",
        alphas: int | Sequence[float] = 10,
        *,
        cv: int | Splitter | None = None,
        n_starts: int = 8,
        rng: int | np.random.Generator = 0,
        progress: bool | None = None,
        executor: Executor | None = None,
        checkpoint: str | Path | None = None,
    ) -> ConditionalAutoencoderResults:
        """Estimate.

        Parameters
        ----------
        alpha : float or {"cv", "1se"}
            Penalty, or how to choose it: the least error of periods left out, or the largest
            penalty within one standard error of it. ``inf`` is IPCA, which always competes.
        alphas : int or sequence of float
            Penalties that are tried, or how many between 0.03 and 0.00003.
        cv : int or splitter, optional
            Folds of periods, by default five blocks in time order. Loadings come from the other
            periods, factors of the periods left out from their own returns.
        n_starts : int
            Random starts, half of them beside the loadings of IPCA.
        rng : int or numpy.random.Generator
            Seed; the same number gives the same estimate.
        progress : bool, optional
            Whether to show a progress bar; by default after two seconds, in a terminal.
        executor : concurrent.futures.Executor, optional
            Runs the sample and the folds instead of this process's threads.
        checkpoint : str or Path, optional
            Folder in which finished folds are kept.

        Returns
        -------
        ConditionalAutoencoderResults
        """
        rule, grid = read_penalty(alpha, "IPCA", "periods"), read_alphas(alphas)
        if isinstance(grid, int):
            grid = np.geomspace(LARGEST, SMALLEST, grid)
        grid = with_penalty(grid, rule)
        draws = read_count("n_starts", n_starts)
        for_folds, for_starts = generator(rng).spawn(2)
        execution = Execution.check(executor, checkpoint)
        folds = None
        if isinstance(rule, str) or cv is not None:
            folds = self._folds(cv, for_folds)
        with one_blas_thread(), progress_bar(progress) as report:
            execution = replace(execution, progress=report)
            found = estimate_loadings(self._task(), rule, grid, folds, draws, for_starts, execution)
        seed = f"rng={rng}" if isinstance(rng, Integral) else "rng given"
        facts = FactorFacts(
            found.alpha,
            words(rule),
            found.certificate,
            found.iterations,
            bool(found.certificate < CONVERGED),
            f"{draws} starts, {seed}",
            draws,
        )
        return ConditionalAutoencoderResults(
            self, found.mapping, found.linear, facts, found.path, found.cv
        )

    def _folds(self, cv: Any, rng: np.random.Generator) -> Folds:
        n_periods = len(self.panel.rows.periods)
        if not hasattr(cv, "split"):
            count = 5 if cv is None else cv
            if not isinstance(count, Integral) or isinstance(count, bool) or count < 2:
                raise SpecificationError(
                    f"cv={cv!r}: pass the number of blocks (at least 2), a splitter of periods "
                    "(BlockedFolds, ExpandingFolds, or scikit-learn's) or None."
                )
            cv = BlockedFolds(int(count))
        places = np.arange(n_periods, dtype=float)
        folds = make_folds(cv, places[:, None], places, time_series=False, groups=None, rng=rng)
        least = int(min(mask.sum() for mask in folds.train))
        if least <= self.k_factors:
            raise SpecificationError(
                f"a fold has {least} training periods, too few for {self.k_factors} factors; "
                "lower cv or give a number as alpha."
            )
        return folds


def _check_flags(**flags: Any) -> None:
    for name, value in flags.items():
        if not isinstance(value, bool | np.bool_):
            raise SpecificationError(f"{name}={value!r}: give True or False.")
