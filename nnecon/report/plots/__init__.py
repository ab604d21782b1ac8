"""Charts of estimates, each a function from arrays and frames to a matplotlib ``Figure``.

This package is the only place that knows matplotlib, and it is imported when the first chart is
drawn. No chart touches pyplot or the user's rcParams: to have a window or a notebook show a chart,
pass a figure of your own (``fig=plt.figure()``) or an axes (``ax=``), or save the one returned.
"""

from nnecon.report.plots.attributions import plot_importance, plot_shapley
from nnecon.report.plots.backtests import (
    plot_forecasts,
    plot_loss_differences,
    plot_relative_accuracy,
)
from nnecon.report.plots.effects import plot_effect, plot_margins
from nnecon.report.plots.factors import (
    plot_factors,
    plot_loadings,
    plot_rsquare,
    plot_scree,
)
from nnecon.report.plots.forecasts import plot_attention, plot_fan, plot_responses
from nnecon.report.plots.paths import plot_cv, plot_path
from nnecon.report.plots.scores import plot_comparison
from nnecon.report.plots.selection import plot_selection
from nnecon.report.plots.series import plot_fit, plot_residuals
from nnecon.report.plots.states import plot_diagnostics, plot_states
from nnecon.report.plots.style import save_pdf, save_png, to_svg
from nnecon.report.plots.surfaces import plot_surface

__all__ = [
    "plot_attention",
    "plot_comparison",
    "plot_cv",
    "plot_diagnostics",
    "plot_effect",
    "plot_factors",
    "plot_fan",
    "plot_fit",
    "plot_forecasts",
    "plot_importance",
    "plot_loadings",
    "plot_loss_differences",
    "plot_margins",
    "plot_path",
    "plot_relative_accuracy",
    "plot_residuals",
    "plot_responses",
    "plot_rsquare",
    "plot_scree",
    "plot_selection",
    "plot_shapley",
    "plot_states",
    "plot_surface",
    "save_pdf",
    "save_png",
    "to_svg",
]
