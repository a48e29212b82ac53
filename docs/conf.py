# SPDX-License-Identifier: MPL-2.0
"""Sphinx: ``tox -e docs``, or ``python -m sphinx -W -n -b html docs build/docs``. Nothing is fetched from a network."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # for extension.py and tables.py; libzmq_py is the one that is installed

import libzmq_py  # noqa: E402

project = "libzmq_py"
author = "the authors of libzmq_py"
copyright = "the authors of libzmq_py; MPL-2.0"
version = release = libzmq_py.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "extension"]
source_suffix = {".md": "markdown"}
exclude_patterns: list[str] = []
language = "en"

# Single backticks in docstrings are code.
default_role = "code"
myst_heading_anchors = 3
myst_enable_extensions = ["fieldlist"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
add_module_names = False

# Every name of ours that is referred to must be documented; names of the standard library cannot be looked up.
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(?!libzmq_py\b).*"),
    (r"py:class", r"libzmq_py\.(.*\.)?_\w+"),  # private, in annotations
    (r"py:class", r"libzmq_py\.options\.Options|libzmq_py\.sockets\.socket_base\.SocketBase"),
]

html_theme = "furo"
html_title = f"libzmq_py {release}"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "default"
