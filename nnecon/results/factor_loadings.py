"""Average loadings with bootstrap standard errors."""

from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from nnecon.estimation.draws import Weighting, block_length, draw_weights
from nnecon.estimation.execution import Execution, one_blas_thread
from nnecon.estimation.random_numbers import generator
from nnecon.exceptions import SpecificationError
from nnecon.inference.factor_loadings import average_loadings
from nnecon.results.bootstrap import BootstrapDistribution
from nnecon.results.progress import progress_bar

KINDS = ("pairs", "block", "moving", "stationary")


class FactorLoadings:
    """Loadings of a factor model and how they vary over samples."""

    def bootstrap_loadings(
        self: Any,
        draws: int = 199,
        *,
        kind: Weighting | None = None,
        block: float | None = None,
        rng: int | np.random.Generator = 0,
        progress: bool | None = None,
        executor: Executor | None = None,
    ) -> BootstrapDistribution:
        r"""Average loadings with standard errors and intervals, by a bootstrap of rows.

        Of principal components the loading is the slope of the standardised series on a factor with
        variance one. Of an autoencoder with one factor it is the average derivative by the factor
        on the scale on which it is normally distributed,
        :math:`E[\partial \hat x_j / \partial n] = \mathrm{cov}(\hat x_j, n)`, as data do not
        determine another scale: average derivatives by the factor as the encoder gives it
        (:attr:`coeff`) are moved by transformations that leave the fit as it is.

        Parameters
        ----------
        draws : int
            Bootstrap samples.
        kind : {"pairs", "block", "moving", "stationary"}, optional
            Single rows or blocks of them; circular blocks by default where rows are periods.
        block : float, optional
            Length of the blocks, by default that of Politis and White (2004) for the factors.
        rng : int or numpy.random.Generator
            Seed of the draws and of their starts.
        progress : bool, optional
            Whether to show a progress bar; by default after two seconds, in a terminal.
        executor : concurrent.futures.Executor, optional
            Estimates the samples instead of this process's threads.

        Returns
        -------
        BootstrapDistribution
            Of loadings by factor and series.

        Raises
        ------
        SpecificationError
            The estimate is an autoencoder with several factors, whose loadings are not determined
            one by one, or comes from mini-batches.

        Notes
        -----
        Every sample is standardised, filled and estimated from its own starts, at the penalty of
        the estimate. The choice of penalty and number of factors is not repeated. Factors of a
        sample are matched to the estimate's by order and sign, not by a rotation, so that errors
        contain how far components turn from sample to sample.

        References
        ----------
        Politis, D. N. and H. White (2004), Automatic block-length selection for the dependent
        bootstrap, Econometric Reviews 23, 53-70. Stein, C. M. (1981), Estimation of the mean of a
        multivariate normal distribution, Annals of Statistics 9, 1135-1151. Timmerman, M. E., H. A.
        L. Kiers and A. K. Smilde (2007), Estimating confidence intervals for principal component
        loadings, British Journal of Mathematical and Statistical Psychology 60, 295-314.

        Examples
        --------
        >>> import numpy as np
        >>> import nnecon as ne
        >>> g = np.random.default_rng(0)
        >>> x = np.outer(g.standard_normal(200), [1.0, 0.8, 0.6, 0.4])
        >>> x = x + 0.5 * g.standard_normal((200, 4))
        >>> results = ne.AutoencoderFactor(x, k_factors=1, hidden=()).fit()
        >>> frame = results.bootstrap_loadings().summary_frame().loc["comp_0"]
        >>> frame[["estimate", "std err"]].round(2)  # doctest: +NORMALIZE_WHITESPACE
                estimate  std err
        series
        x1          0.91     0.01
        x2          0.88     0.01
        x3          0.84     0.02
        x4          0.74     0.04
        """
        if not self.is_linear and self.k_factors > 1:
            raise SpecificationError(
                f"the {self.k_factors} factors of an autoencoder are determined up to a common "
                "transformation alone, so that their loadings have no standard errors one by one; "
                "fit(alpha=inf) gives principal components, k_factors=1 has a scale of its own."
            )
        if self.factor_order and not self.is_linear:
            raise SpecificationError(
                "a bootstrap of rows does not keep the order in which factors with factor_order "
                "follow each other; estimate without it, or with alpha=inf."
            )
        if self.facts.is_trained:
            raise SpecificationError(
                "every bootstrap sample would be trained in mini-batches from several starts; "
                "errors are those of fit(method='lbfgs'), on some of the rows where they are many."
            )
        kind, block = self._scheme(kind, block)
        seeds = generator(rng)
        counts = draw_weights(kind, self.nobs, draws, seeds, block=block)
        with one_blas_thread(), progress_bar(progress, "Drawing") as report:
            execution = replace(Execution.check(executor), progress=report)
            found = self.model.loadings_of_draws(self, counts, seeds, execution)
        names = pd.MultiIndex.from_product(
            [self.factor_names, self.model.labels], names=["factor", "series"]
        )
        estimate = average_loadings(self.mapping, self._factors, self.is_linear)
        blocks = "" if block is None else f" of {block:g} rows"
        return BootstrapDistribution(
            pd.Series(estimate.ravel(), names, name="loading"),
            pd.DataFrame(found.reshape(len(found), -1), columns=names),
            f"{draws} bootstrap samples, {kind}{blocks}",
        )

    def _scheme(
        self: Any, kind: Weighting | None, block: float | None
    ) -> tuple[Weighting, float | None]:
        kind = kind or ("block" if self.model.panel.is_time_series else "pairs")
        if kind not in KINDS:
            raise SpecificationError(f"kind={kind!r}: choose one of {KINDS}.")
        if kind != "pairs" and block is None:
            block = block_length(self._factors, kind)
        return kind, block
