"""Tests that compare forecasts, on arrays of losses or errors: ``ne.accuracy``.

====================================  ========================================================
:func:`diebold_mariano`               two forecasts, models not nested
:func:`giacomini_white`               two forecasting methods, also given what was known
:func:`clark_west`                    a model and one that contains it
:func:`corrected_resampled_t`         two predictors on shuffled folds
:func:`encompassing`                  does a second forecast add to the first?
:func:`pesaran_timmermann`            is the direction predicted?
:func:`model_confidence_set`          many models: which may be the best?
:func:`superior_predictive_ability`   many models: does any beat the benchmark?
====================================  ========================================================
"""

from nnecon.inference.accuracy import (
    ModelConfidenceSet,
    SuperiorPredictiveAbility,
    clark_west,
    corrected_resampled_t,
    diebold_mariano,
    encompassing,
    giacomini_white,
    model_confidence_set,
    pesaran_timmermann,
    superior_predictive_ability,
)

__all__ = [
    "ModelConfidenceSet",
    "SuperiorPredictiveAbility",
    "clark_west",
    "corrected_resampled_t",
    "diebold_mariano",
    "encompassing",
    "giacomini_white",
    "model_confidence_set",
    "pesaran_timmermann",
    "superior_predictive_ability",
]
