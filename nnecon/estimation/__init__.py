"""The engine: objectives, solvers, paths and folds, on arrays alone."""
