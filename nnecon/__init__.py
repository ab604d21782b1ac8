"""Neural networks for economists."""

__version__ = "0.1.0"
