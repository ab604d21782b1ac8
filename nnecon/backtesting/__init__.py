"""Backtests: what a model would have forecast at each date, estimated on what was known then.

==================  ===========================================================================
``information``     the data as known at an origin: cut off, windowed, published late, revised
``schedule``        which origins there are, and what is estimated anew at each
``methods``         models of all kinds behind one face
``run``             :func:`backtest` itself
==================  ===========================================================================
"""

from nnecon.backtesting.run import backtest

__all__ = ["backtest"]
