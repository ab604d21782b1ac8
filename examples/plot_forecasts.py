"""
Inflation and unemployment: a network inside a vector autoregression
====================================================================

A neural autoregression of two US series, with the Treasury bill rate as a predictor. We look at
what cross-validation leaves of the network, at the fan of forecasts, and at what a surprise in the
bill rate goes along with.
"""

import nnecon as ne

macro = ne.datasets.load_macro()

# %%
# Estimation
# ----------
# Each target has an equation: the row of a VAR with two lags beside four hidden units. Penalties
# are chosen by target, in expanding windows. For inflation that leaves nothing of the network;
# unemployment keeps one, whose errors on rows left out are a quarter below those of the VAR(2).

model = ne.NeuralAR.from_formula("infl + unemp ~ tbilrate", macro, linear_lags=2, hidden=(4,))
results = model.fit()
print(results.summary(lags=2))

# %%
# Two lags are few, and we chose them so that there is a network to look at. AIC chooses six, and
# with these the VAR's errors are as small as the network's: no network leads, and both equations
# stay linear. Whether the network forecasts better than either is a question for a backtest.

longer = model.on(macro, linear_lags="aic").fit()
print(longer.equations_frame().round(3))

# %%
# Forecasts
# ---------
# Bands hold the shocks of the periods to come and the uncertainty of the parameters; the dashed
# line is the VAR on the same rows.

figure = results.plot_forecast(8, labels=ne.datasets.MACRO_LABELS)
print(results.get_forecast(8).variance_shares["unemp"].round(2))

# %%
# Responses
# ---------
# Generalised impulse responses to a surprise of one percentage point, in quarters when more than
# seven percent were unemployed. They are what goes along with the surprise, not effects of policy.

slack = macro["unemp"] > 7.0
figure = results.girf("tbilrate", size=1.0, periods=8, history=slack).plot()
