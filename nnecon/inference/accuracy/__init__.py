"""Tests that compare forecasts, on arrays of losses or forecast errors.

===============================  ==============================================================
:func:`diebold_mariano`          two forecasts, models not nested
:func:`giacomini_white`          two forecasting methods, also conditional on what was known
:func:`clark_west`               a model and one that contains it
:func:`corrected_resampled_t`    two predictors on shuffled folds
:func:`encompassing`             does a second forecast add to the first?
:func:`pesaran_timmermann`       is the direction predicted?
:func:`model_confidence_set`     many models: which may be the best?
:func:`superior_predictive_ability`  many models: does any beat the benchmark?
===============================  ==============================================================
"""

from nnecon.inference.accuracy.direction import pesaran_timmermann
from nnecon.inference.accuracy.equal import diebold_mariano, giacomini_white
from nnecon.inference.accuracy.many import (
    ModelConfidenceSet,
    SuperiorPredictiveAbility,
    model_confidence_set,
    superior_predictive_ability,
)
from nnecon.inference.accuracy.nested import clark_west, encompassing
from nnecon.inference.accuracy.resampled import corrected_resampled_t
from nnecon.inference.hypotheses import HypothesisTest

AccuracyTest = HypothesisTest
"""What these tests return, under its former name."""

__all__ = [
    "AccuracyTest",
    "HypothesisTest",
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
