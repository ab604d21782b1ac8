"""Estimators: a specification on data, with `fit`."""
