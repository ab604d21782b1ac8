"""
Household income in a survey: a network, and what it teaches the linear model
=============================================================================

A cross section of 944 respondents of the American National Election Study of 1996. We regress log
household income on age, education and the size of the place of residence. Income was asked in
brackets; we take the middle of each (and 130,000 dollars for the open one), an approximation.
"""

from itertools import pairwise

import numpy as np
import pandas as pd
import statsmodels.api as sm

import nnecon as ne

survey = sm.datasets.anes96.load_pandas().data
edges = [0, 3, 5, 7, 9, 10, 11, 12, 13, 14, 15, 17, 20, 22, 25, 30, 35, 40, 45, 50, 60, 75, 90, 105]
middle = [(a + b) / 2 for a, b in pairwise(edges)] + [130.0]
survey["log_income"] = np.log(np.array(middle)[survey["income"].astype(int) - 1])

levels = ["grades 1-8", "some high", "high school", "some college", "college", "master", "PhD"]
survey["school"] = pd.Categorical.from_codes(survey["educ"].astype(int) - 1, levels)

# %%
# OLS and a network
# -----------------
# ``school`` is categorical: its partial effects are average changes from the reference category,
# grades 1-8. Standard errors are robust to unequal variances (HC1), the default in cross sections.

results = ne.NeuralRegression.from_formula(
    "log_income ~ age + school + logpopul", survey, hidden=(3,)
).fit(alphas=12, n_starts=3)
print(results.summary())

# %%
# OLS says that age has no effect on income. The network predicts respondents left out better:

print(results.compare())

# %%
# The effect of age explains both. Income rises until about 50 and falls afterwards. The straight
# line of OLS averages over the hump.

age = results.plot_effect("age", xlabel="Age, years", ylabel="Mean log income, 1000 dollars")

# %%
effects = results.get_margeff().plot(
    xlabel="Average partial effect on log income", baseline_name="OLS"
)

# %%
# Back to the linear model
# ------------------------
# An economist who sees the hump adds the square of age. The two columns of age have one partial
# effect, the total derivative. Is there anything left for a network?

quadratic = ne.NeuralRegression.from_formula(
    "log_income ~ age + I(age**2) + school + logpopul", survey, hidden=(3,)
).fit(alphas=12, n_starts=3)
print(quadratic.compare())

# %%
# Most of the network's advantage is gone, and what is left is not significant: the linear model
# with a square of age predicts respondents left out nearly as well. The network served as a search
# for the specification. Standard errors do not account for such a search.
