"""AutoencoderFactor: nonlinear factors beside principal components."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from inspect import signature
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from nnecon.baselines.components import pca
from nnecon.data.names import caller_namespace
from nnecon.data.panel import Panel, check_formula, panel_of, panel_of_formula
from nnecon.estimation.execution import Execution, one_blas_thread
from nnecon.estimation.random_numbers import generator
from nnecon.estimation.resampling import Splitter
from nnecon.estimation.training import Training
from nnecon.exceptions import SpecificationError
from nnecon.inference.corruption import Corruption
from nnecon.inference.factor_map import ComponentMap
from nnecon.models.factor_bootstrap import LoadingWork, draw_loadings
from nnecon.models.factor_estimation import CONVERGED, estimate, rebuilt
from nnecon.models.factor_penalties import read_penalty, with_penalty, words
from nnecon.models.factor_samples import FactorTask
from nnecon.models.factor_selection import reconstruction_folds
from nnecon.models.factor_specification import FactorSpecification
from nnecon.models.factor_training import read_training, warn_beaten, words_of
from nnecon.models.forecast_settings import read_count as _whole
from nnecon.models.settings import read_alphas
from nnecon.results.factor_state import (
    columns_from_state,
    cv_from_state,
    index_from_state,
    path_from_state,
)
from nnecon.results.factors import AutoencoderFactorResults, FactorFacts
from nnecon.results.progress import progress_bar

LARGEST, SMALLEST = 0.1, 1e-4
"""Ends of the default grid of penalties."""


class AutoencoderFactor(FactorSpecification):
    r"""Factors of a panel by an autoencoder that contains principal components.

    With :math:`u_t` the leading principal components of the standardised series at t, with variance
    one,

    .. math::

        f_t = Q'u_t + W_e\, h_e(u_t), \qquad
        \hat x_t = c + B f_t + W_d\, h_d(f_t),

    where :math:`h_e` and :math:`h_d` are layers of hidden units and :math:`Q'Q = I`. The networks
    :math:`W_e h_e` and :math:`W_d h_d` are penalised, the rest is not: at ``alpha=inf`` or with
    ``hidden=()`` factors, loadings and projections are those of statsmodels' ``PCA``.

    Parameters
    ----------
    data : DataFrame or array_like of shape (T, N)
        A column a series. Missing values may be anywhere.
    k_factors : int or {"ic", "IC_p1", "IC_p2", "IC_p3", "PC_p1", "PC_p2", "PC_p3", "bcv"}
        Number of factors, or the criterion that chooses it among principal components: those of
        Bai and Ng (2002), of which "ic" is IC_p2, or bi-cross-validation.
    hidden : int or tuple of int
        Units of each hidden layer of the encoder, and in reverse order of the decoder; ``()`` is
        principal components.
    activation : str
        As in :class:`nnecon.NeuralRegression`.
    nonlinear : {"both", "encoder", "decoder"}
        Which side has hidden layers; the other is linear.
    linear_part : bool
        Whether ``Q`` and ``B`` are in the model; False gives the network alone.
    standardize : bool
        Whether series are standardised; they are centred in any case.
    inputs : int, optional
        How many principal components the encoder sees, by default four a factor and at least ten.
    max_factors : int, optional
        Most factors that a criterion may choose, by default :math:`8 (\min(N, T)/100)^{1/4}`.
    tied : bool
        Whether the decoder's weights are the encoder's, transposed.
    noise, masking : float
        A denoising autoencoder: standard deviation of normal noise on the series that the encoder
        sees during estimation, in standard deviations of each, and share of the values that are set
        to their means.
    sparsity : float
        Price of the L1 norm of the standardised factors, a row: a sparse autoencoder.
    variational : bool
        Whether factors have a standard normal prior and an approximate posterior, and the evidence
        lower bound on the likelihood is maximised; without networks, whether principal components
        have the likelihood of probabilistic ones.
    factor_order : int or {"aic", "bic", "hqic"}
        Lags of a vector autoregression that the factors follow, so that the panel can be forecast,
        or the criterion that chooses them for principal components; 0 is none. One-step forecasts
        are then part of what is estimated. Rows have to be periods without gaps.
    forecast_weight : float, optional
        Share of the forecast errors in the objective beside those of the reconstruction, by default
        one half; at 0 the autoregression is that of the factors of the plain autoencoder.

    Raises
    ------
    DataError
        A column or row without values, a constant series, infinite values, a row with fewer known
        values than factors.
    SpecificationError
        Arguments that contradict each other or the panel.

    Notes
    -----
    Missing values are left out of the objective. The encoder sees them filled by the EM algorithm
    of Stock and Watson (2002), as in statsmodels' ``missing="fill-em"``, run to convergence; rows
    outside the sample are filled by the same rule.

    References
    ----------
    Kramer, M. A. (1991), Nonlinear principal component analysis using autoassociative neural
    networks, AIChE Journal 37, 233-243. Stock, J. H. and M. W. Watson (2002), Macroeconomic
    forecasting using diffusion indexes, Journal of Business & Economic Statistics 20, 147-162.

    Examples
    --------
    >>> import numpy as np
    >>> import nnecon as ne
    >>> g = np.random.default_rng(0)
    >>> f, a, b = g.standard_normal(200), *g.standard_normal((2, 20))
    >>> x = np.outer(f, a) + np.outer(f**2, b) + 0.5 * g.standard_normal((200, 20))
    >>> results = ne.AutoencoderFactor(x, k_factors=1, hidden=4).fit(alpha=0.001, n_starts=4)
    >>> bool(abs(np.corrcoef(results.factors["comp_0"], f)[0, 1]) > 0.9)
    True
    """

    def __init__(
        self,
        data: Any,
        k_factors: int | str = "ic",
        hidden: Sequence[int] | int = (8,),
        activation: str = "tanh",
        *,
        nonlinear: str = "both",
        linear_part: bool = True,
        standardize: bool = True,
        inputs: int | None = None,
        max_factors: int | None = None,
        tied: bool = False,
        noise: float = 0.0,
        masking: float = 0.0,
        sparsity: float = 0.0,
        variational: bool = False,
        factor_order: int | str = 0,
        forecast_weight: float | None = None,
    ) -> None:
        given = {
            "k_factors": k_factors, "hidden": hidden, "activation": activation,
            "nonlinear": nonlinear, "linear_part": linear_part, "standardize": standardize,
            "inputs": inputs, "max_factors": max_factors, "tied": tied, "noise": noise,
            "masking": masking, "sparsity": sparsity, "variational": variational,
            "factor_order": factor_order, "forecast_weight": forecast_weight,
        }  # fmt: skip
        self._set_up(panel_of(data), given)

    @classmethod
    def from_formula(cls, formula: str, data: Any, **specification: Any) -> Self:
        """Build the model from a formula without a left side.

        Parameters
        ----------
        formula : str
            ``"~ 0 + a + dlog(b) + np.log(c)"``; the constant makes no difference. The first rows of
            lags and growth rates, which reach back before the data, are left out.
        data : DataFrame
            One row an observation.
        **specification
            As in the constructor.
        """
        panel = panel_of_formula(formula, data, caller_namespace(0))
        return cls._of_panel(panel, **specification)

    @classmethod
    def _of_panel(cls, panel: Panel, **specification: Any) -> Self:
        model = cls.__new__(cls)
        parameters = signature(cls.__init__).parameters
        defaults = {
            name: each.default for name, each in parameters.items() if name not in ("self", "data")
        }
        unknown = next((name for name in specification if name not in defaults), None)
        if unknown is not None:
            raise SpecificationError(
                f"{cls.__name__} has no argument {unknown!r}; it has {', '.join(defaults)}."
            )
        model._set_up(panel, {**defaults, **specification})
        return model

    def on(self, data: Any, **changes: Any) -> Self:
        """The same specification on other data; a number of factors that was chosen is chosen anew.

        Parameters
        ----------
        data : DataFrame or array_like
            With the columns of the panel or of the formula; other columns are not looked at.
        **changes
            Arguments of the constructor that differ.
        """
        given = {**self._given, **changes}
        if self.panel.formula is not None:
            panel = panel_of_formula(self.panel.formula, data, self.panel.bindings)
        else:
            values, index = self.panel.new(data)
            panel = panel_of(pd.DataFrame(values, index, self.panel.labels))
        return type(self)._of_panel(panel, **given)

    @classmethod
    def restore(
        cls, meta: Mapping[str, Any], arrays: dict[str, np.ndarray], functions: Any = None
    ) -> AutoencoderFactorResults:
        """Results from what :func:`nnecon.load` read."""
        held = meta["model"]
        given = dict(functions or {})
        lacking = [name for name in held["functions"] if name not in given]
        if lacking:
            raise SpecificationError(
                f"the saved formula calls {lacking[0]}(), a function of yours that a file cannot "
                f"hold; pass it when loading: functions={{{lacking[0]!r}: {lacking[0]}}}"
            )
        if held["formula"] is not None:
            check_formula(held["formula"], given)
        panel = Panel(
            arrays["values"],
            tuple(held["names"]),
            index_from_state(meta, arrays),
            held["formula"],
            {**held["bindings"], **given},
            columns_from_state(meta, arrays),
        )
        model = cls._of_panel(panel, **held["specification"])
        facts = FactorFacts(**meta["facts"])
        task = model._task(facts.noise_seed)
        mapping, components = rebuilt(task, arrays.get("params"), facts.alpha)
        return AutoencoderFactorResults(
            model,
            mapping,
            components,
            model._baseline(components),
            facts,
            path_from_state(meta, arrays),
            cv_from_state(meta, arrays, panel.index, panel.labels),
        )

    def loadings_of_draws(
        self,
        results: AutoencoderFactorResults,
        counts: np.ndarray,
        rng: np.random.Generator,
        execution: Execution,
    ) -> np.ndarray:
        """Loadings (B, k, N) of samples with these counts of rows (B, T), estimated as ``results``.

        See :meth:`AutoencoderFactorResults.bootstrap_loadings`.
        """
        work = LoadingWork(
            self._task(results.facts.noise_seed),
            results.mapping,
            results.mapping.factors(self.panel.values),
            results.alpha,
            np.empty(0) if results.path is None else results.path.alphas[1:],
            results.facts.n_starts,
        )
        return draw_loadings(work, counts, rng, execution)

    def _task(self, noise_seed: int | None) -> FactorTask:
        corruption = None
        if noise_seed is not None and not self.variational:
            corruption = Corruption(self.noise, self.masking, noise_seed)
        return FactorTask(
            self.panel,
            self.network,
            self.standardize,
            corruption,
            dynamics=self.dynamics,
            posterior_seed=noise_seed if self.variational else None,
        )

    def _baseline(self, components: ComponentMap) -> Any:
        filled = components.extraction.filled(self.panel.values)
        frame = pd.DataFrame(filled, self.panel.index, list(self.names))
        return pca(frame, self.k_factors, self.standardize)

    def fit(
        self,
        alpha: float | str = "cv",
        alphas: int | Sequence[float] = 10,
        *,
        cv: int | Splitter | None = None,
        n_starts: int = 4,
        method: str | Training = "auto",
        rng: int | np.random.Generator = 0,
        progress: bool | None = None,
        executor: Executor | None = None,
        checkpoint: str | Path | None = None,
    ) -> AutoencoderFactorResults:
        """Estimate.

        Parameters
        ----------
        alpha : float or {"cv", "1se"}
            Penalty, or how to choose it: the least error of rows left out, or the largest penalty
            within one standard error of it. ``inf`` is principal components, which always compete.
        alphas : int or sequence of float
            Penalties that are tried, or how many between 0.1 and 0.0001.
        cv : int or splitter, optional
            Folds of rows; by default five blocks in time order, or five shuffled folds where rows
            are no periods.
        n_starts : int
            Random starts, the first from principal components.
        method : {"auto", "lbfgs", "adam", "sgd"}, nnecon.Adam or nnecon.SGD
            L-BFGS on all rows, which "auto" takes as well, or mini-batches, for samples of many
            rows; a number as ``alpha`` is then estimated without a path, unless ``alphas`` are
            given.
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
        AutoencoderFactorResults
        """
        rule = read_penalty(alpha, "principal components", "rows")
        grid = read_alphas(alphas)
        draws = _whole("n_starts", n_starts)
        for_folds, for_starts, for_noise, for_batches = generator(rng).spawn(4)
        batches = read_training(method, self, int(for_batches.integers(2**31)))
        if isinstance(grid, int):
            alone = batches is not None and not isinstance(rule, str)
            grid = np.empty(0) if alone else np.geomspace(LARGEST, SMALLEST, grid)
        grid = with_penalty(grid, rule)
        execution = Execution.check(executor, checkpoint)
        drawn = self.noise or self.masking or self.variational
        noise_seed = int(for_noise.integers(2**31)) if drawn else None
        task = replace(self._task(noise_seed), batches=batches)
        folds = None
        if isinstance(rule, str) or cv is not None:
            folds = reconstruction_folds(cv, self.panel, for_folds, self.factor_order > 0)
        with one_blas_thread(), progress_bar(progress) as report:
            execution = replace(execution, progress=report)
            found = estimate(task, rule, grid, folds, draws, for_starts, execution)
        if batches is not None:
            warn_beaten(self, rule, found)
        seed = f"rng={rng}" if isinstance(rng, Integral) else "rng given"
        facts = FactorFacts(
            found.alpha,
            words(rule),
            found.certificate,
            found.iterations,
            bool(found.certificate < CONVERGED),
            f"{draws} starts, {seed}",
            draws,
            noise_seed,
            "" if batches is None else words_of(batches),
            found.note,
        )
        return AutoencoderFactorResults(
            self, found.mapping, found.components, self._baseline(found.components), facts,
            found.path, found.cv,
        )  # fmt: skip
