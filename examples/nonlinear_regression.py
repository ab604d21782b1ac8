"""
A nonlinear consumption function by nonlinear least squares
===========================================================

The textbook example of nonlinear regression: consumption as a power function of income,

.. math:: C_t = a + b Y_t^{\\gamma} + e_t ,

on US quarterly data (real personal consumption and real disposable income, billions of chained
2005 dollars). With :math:`\\gamma = 1` it is the linear consumption function. ``network=`` takes
any regression function written with ``jax.numpy``; derivatives and standard errors follow.
"""

import jax.numpy as jnp
import numpy as np
from scipy import stats

import nnecon as ne

macro = ne.datasets.load_macro()

# %%
# Start from OLS
# --------------
# The columns of the design come in the order of the formula: ``x[0]`` is the intercept, which the
# function does not use, and ``x[1]`` income.

line = ne.NeuralRegression.from_formula("realcons ~ realdpi", macro, hidden=()).fit()


def consumption(b, x):
    """Consumption at income x[1]."""
    return b[0] + b[1] * jnp.power(x[1], b[2])


start = {"a": line.params["Intercept"], "b": line.params["realdpi"], "gamma": 1.0}
model = ne.NeuralRegression.from_formula(
    "realcons ~ realdpi", macro, network=consumption, start_params=start
)
results = model.fit()
print(results.summary())

# %%
# The Durbin-Watson statistic is far from 2: the errors are autocorrelated. Standard errors are HAC
# (Newey-West) by default for time series, with 4 lags here; errors this persistent ask for more.
# (Both series trend. The usual asymptotics assume that they do not, so read the example as one of
# method.)

for lags in (4, 12, 24):
    other = results.with_cov("HAC", maxlags=lags)
    print(f"{lags:2d} lags: se(gamma) = {other.bse['gamma']:.4f}")
print(f"nonrobust: se(gamma) = {results.with_cov('nonrobust').bse['gamma']:.4f}")

# %%
# Is the function linear?
# -----------------------
# A Wald test of :math:`\gamma = 1`.

robust = results.with_cov("HAC", maxlags=24)
z = (robust.params["gamma"] - 1.0) / robust.bse["gamma"]
print(f"z = {z:.2f}, p = {2 * stats.norm.sf(abs(z)):.1e}")

# %%
# The marginal propensity to consume, :math:`b \gamma Y^{\gamma - 1}`, at three incomes, by the
# delta method. It exceeds one at the highest income: a power function is a poor guide at the edge.

a, b, gamma = robust.params
for income in (2000.0, 5000.0, 10000.0):
    power = income ** (gamma - 1.0)
    mpc = b * gamma * power
    gradient = np.array([0.0, gamma * power, b * power * (1.0 + gamma * np.log(income))])
    se = np.sqrt(gradient @ robust.cov_params().to_numpy() @ gradient)
    print(f"income {income:6.0f}: MPC {mpc:.3f} ({se:.3f})")

# %%
# ``get_margeff`` gives its average over the sample without any algebra. The last column is OLS.

print(robust.effects_frame().round(4).to_string())

# %%
# Income and mean consumption, with OLS beside it.

curve = robust.plot_effect(
    "realdpi",
    xlabel="Real disposable income, billions of 2005 dollars",
    ylabel="Mean consumption, billions of 2005 dollars",
)
