"""
A recurrent network as a state-space model
==========================================

The level of the Nile by a linear state-space model, and inflation and growth by a recurrent network
beside a VAR: states with bands, forecasts, and what a shock does.
"""

import pandas as pd
import statsmodels.api as sm

import nnecon as ne

# %%
# A linear model: the level of the Nile
# -------------------------------------
# With linear activation the model is the linear state-space model; what is known is fixed.

nile = sm.datasets.nile.load_pandas().data["volume"].rename("nile")
nile.index = pd.period_range("1871", periods=len(nile), freq="Y")
model = ne.RNNStateSpace(
    nile, k_states=1, activation="linear", innovations=False, state_noise=True, linear_part=False,
    initialization="diffuse",
)  # fmt: skip
level = model.fit_constrained(
    {"intercept.nile": 0.0, "loading.h1.nile": 1.0, "transition.h1.h1": 1.0, "bias.h1": 0.0},
    n_starts=2,
)
print(level.summary())
figure = level.plot_states(title="Level of the Nile, smoothed")

# %%
# A network beside a VAR
# ----------------------
# Two tanh states that inflation and growth share. At ``alpha=inf`` this is the VAR(2).

macro = ne.datasets.load_macro().dropna()
network = ne.RNNStateSpace.from_formula("infl + growth ~ 1", macro, linear_lags=2, stable=True)
results = network.fit(alpha=0.03, n_starts=4)
print(results.summary())
figure = results.plot_states("contributions", labels=ne.datasets.MACRO_LABELS)

# %%
# Forecasts and diagnostics
# -------------------------

figure = results.plot_forecast(8, labels=ne.datasets.MACRO_LABELS)
figure = results.plot_diagnostics("infl")

# %%
# Responses
# ---------
# What a surprise of four points of growth does on average over the sample, with bands over draws of
# the parameters, beside the VAR.

figure = results.girf("growth", size=4.0, periods=8).plot()
