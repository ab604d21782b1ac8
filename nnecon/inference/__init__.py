"""Covariances, effects, intervals and tests, on arrays alone."""
