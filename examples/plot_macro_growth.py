"""
GDP growth and unemployment: does a network beat the linear model?
==================================================================

Two regressions on US quarterly data, 1959 to 2009. For GDP growth, cross-validation returns OLS.
For the change of the unemployment rate it keeps a network. We read both results and see what the
network found.
"""

import pandas as pd

import nnecon as ne

macro = ne.datasets.load_macro()

# %%
# GDP growth
# ----------
# Growth (percent a year) on two lags of its own, and last quarter's inflation, unemployment and
# real interest rate. Eight hidden units are available beside the linear part. The penalty is
# chosen by cross-validation in expanding windows.

growth = ne.NeuralRegression.from_formula(
    "growth ~ lag(growth, 1, 2) + lag(infl, 1) + lag(unemp, 1) + lag(realint, 1)",
    macro,
    hidden=(8,),
).fit()
print(growth.summary())

# %%
# The penalty is infinite: the estimate is OLS, with the same coefficients and standard errors. The
# curve of cross-validated errors shows why. Wherever the network is not zero, it predicts the
# quarters left out no better than OLS.

figure = growth.plot_cv(ylabel="CV mean squared error, (% a year)²")

# %%
# Change of unemployment
# ----------------------
# The same question for the quarterly change of the unemployment rate, in percentage points.

unemployment = ne.NeuralRegression.from_formula(
    "diff(unemp) ~ lag(diff(unemp), 1, 2) + lag(growth, 1, 2) + lag(tbilrate, 1)",
    macro,
    hidden=(4,),
).fit()
print(unemployment.summary())

# %%
# Here cross-validation keeps a network, with about 15 effective degrees of freedom against 6 of
# OLS. Its error on quarters left out is smaller, but the difference is not significant.

print(unemployment.compare())

# %%
# The path shows how average effects change from OLS on the left to a weakly penalised network on
# the right. Dotted lines mark penalties where the best network is a different one. The signs of the
# effects hold up; the first lag of the dependent variable loses some of its weight to the network.

path = unemployment.plot_path()

# %%
# What did the network find? Where growth two quarters ago was strongly negative, unemployment rises
# more than OLS says.

effect = unemployment.plot_effect(
    "lag(growth, 2)",
    xlabel="GDP growth two quarters ago, % a year",
    ylabel="Change of unemployment, percentage points",
)

# %%
fit = unemployment.plot_fit(name="Change of unemployment", units="percentage points")

# %%
# The forecast for the quarter after the sample. All regressors are lags, so the new row needs no
# data; its lags reach into the sample.

ahead = pd.DataFrame(index=pd.period_range("2009Q4", periods=1, freq="Q"))
print(unemployment.get_prediction(ahead).summary_frame().round(2).to_string())
