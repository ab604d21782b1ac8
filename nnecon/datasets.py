"""Data that come with the package's dependencies: ``ne.datasets.load_macro()``."""

from nnecon.data.datasets import MACRO_LABELS, load_macro

__all__ = ["MACRO_LABELS", "load_macro"]
