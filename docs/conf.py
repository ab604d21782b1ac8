"""Configuration of Sphinx: ``sphinx-build -W docs docs/_build/html``."""

import os
import warnings

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

import nnecon

project = "nnecon"
author = "The nnecon developers"
copyright = "2026, The nnecon developers"
release = version = nnecon.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
# pages that show formulas without a network: pip install sphinx-mathjax-offline
if os.environ.get("NNECON_DOCS_OFFLINE"):
    extensions.append("sphinx-mathjax-offline")

exclude_patterns = ["_build", "auto_examples/*.ipynb", "auto_examples/*.py"]
templates_path = ["_templates"]
# the scraper below is a function, which Sphinx cannot keep between builds
suppress_warnings = ["toc.empty_glob", "config.cache"]

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "alabaster"
html_theme_options = {
    "description": "Neural networks for economists, as statsmodels gives them regressions",
    "page_width": "1080px",
    "sidebar_width": "220px",
    "fixed_sidebar": True,
    "font_family": "Georgia, 'Times New Roman', serif",
    "head_font_family": "Georgia, 'Times New Roman', serif",
    "show_powered_by": False,
}
html_sidebars = {"**": ["about.html", "navigation.html", "searchbox.html"]}
html_static_path = ["_static"]
html_css_files = ["nnecon.css"]
html_show_sourcelink = False


def figures_of_example(block, block_vars, gallery_conf):
    """Save the figures that a block of an example has made, for sphinx-gallery.

    nnecon's figures are not registered with pyplot, so they are taken from the variables.
    """
    names = block_vars["example_globals"]
    seen = names.setdefault("__figures_seen__", [])
    paths = block_vars["image_path_iterator"]
    saved = []
    for value in list(names.values()):
        if not isinstance(value, Figure) or any(value is figure for figure in seen):
            continue
        seen.append(value)
        path = next(paths)
        value.savefig(path, dpi=150, bbox_inches="tight")
        saved.append(path)
    return figure_rst(saved, gallery_conf["src_dir"])


sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"\.py$",
    "image_scrapers": (figures_of_example,),
    "capture_repr": (),
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 0,
    "remove_config_comments": True,
    "abort_on_example_error": True,
}

warnings.filterwarnings("error", module="nnecon")
