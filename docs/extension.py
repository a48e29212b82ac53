# SPDX-License-Identifier: MPL-2.0
"""What Sphinx needs besides: the tables of ``tables.py``, public names, and a check that none is missing.

* ``{zmq-table} NAME`` puts a table of ``tables.TABLES`` there.
* ``{zmqname}`LINGER``` defines ``libzmq_py.LINGER`` where it stands, so that ``{data}`~libzmq_py.LINGER``` leads there.
* Annotations name the modules in which classes live; links lead to the public names.
* The functions of libzmq that docstrings end with are shown as such.
* ``bytes`` and the like in annotations are Python's, not a property of that name.
* At the end, each name of ``libzmq_py.__all__`` must have been documented.

No libzmq twin: documentation.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Sequence
from typing import Any

import tables
from docutils import nodes
from docutils.parsers.rst.states import Inliner
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

import libzmq_py
from libzmq_py.api.attrsettr import OptionAttribute

_LOG = logging.getLogger(__name__)
_FUNCTIONS = re.compile(r"(?:^|(?<=\. ))(zmq_[a-z0-9_]+(?:, zmq_[a-z0-9_]+)*)( \([A-Z_]+\))?\.$")


class TableDirective(SphinxDirective):
    """``{zmq-table} NAME``."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Parse the table's Markdown here."""
        self.env.note_dependency(tables.__file__)
        for path in tables.SPEC.glob("*.csv"):
            self.env.note_dependency(str(path))
        return self.parse_text_to_nodes(tables.TABLES[self.arguments[0]]())


def define_name(
    name: str,
    rawtext: str,
    text: str,
    lineno: int,
    inliner: Inliner,
    options: dict[str, Any] | None = None,
    content: Sequence[str] = (),
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """``{zmqname}`NAME```: a public constant, defined here."""
    environment: BuildEnvironment = inliner.document.settings.env
    full_name = f"libzmq_py.{text}"
    node = nodes.literal(rawtext, text, ids=[full_name])
    environment.domains.python_domain.note_object(full_name, "data", full_name, location=node)
    return [node], []


def skip_option(app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object) -> bool | None:
    """Options as attributes have a page of their own, and would come twice each."""
    return True if isinstance(obj, OptionAttribute) else None


def show_functions(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """``zmq_bind.`` at the end of a docstring is the function of libzmq behind the entry."""
    if what == "module":
        lines[:] = [each for line in lines for each in (["", line] if line.startswith("Departs") else [line])]
    for index, line in enumerate(lines):
        found = _FUNCTIONS.search(line)
        if found:
            names = ", ".join(f"``{each}``" for each in found[1].split(", "))
            lines[index : index + 1] = [line[: found.start()].rstrip(), "", f":In libzmq: {names}{found[2] or ''}", ""]
            return


def find_public_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.Element
) -> nodes.Element | None:
    """``libzmq_py.api.context.Context`` is ``libzmq_py.Context``."""
    target: str = node.get("reftarget", "")
    if node.get("refdomain") != "py":
        return None
    found = env.domains.python_domain.objects.get(f"libzmq_py.{target.rpartition('.')[2]}")
    if found is None or (target.count(".") and not target.startswith("libzmq_py.")):
        return None
    return make_refnode(app.builder, node["refdoc"], found.docname, found.node_id, contnode, target)


def leave_builtins_alone(app: Sphinx, doctree: nodes.document) -> None:
    """Sphinx would take ``bytes`` in an annotation for ``Frame.bytes``."""
    for node in list(doctree.findall(pending_xref)):
        if node.get("refdomain") == "py" and node.get("reftype") == "class" and node["reftarget"] in vars(builtins):
            node.replace_self(nodes.Text(node["reftarget"]))


def check_names(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn, which is an error, of public names that no page documents."""
    documented = env.domains.python_domain.objects
    for name in libzmq_py.__all__:
        if f"libzmq_py.{name}" not in documented:
            _LOG.warning("libzmq_py.%s is public and nowhere documented", name)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    # The overloads of a function say for type checkers what its one signature says for people.
    analyze = ModuleAnalyzer.analyze

    def analyze_without_overloads(self: ModuleAnalyzer) -> None:
        analyze(self)
        self.overloads = {}

    ModuleAnalyzer.analyze = analyze_without_overloads  # type: ignore[method-assign]
    app.add_directive("zmq-table", TableDirective)
    app.add_role("zmqname", define_name)  # type: ignore[arg-type]
    app.connect("autodoc-skip-member", skip_option)
    app.connect("autodoc-process-docstring", show_functions, priority=900)  # after napoleon
    app.connect("doctree-read", leave_builtins_alone)
    app.connect("missing-reference", find_public_name)
    app.connect("env-check-consistency", check_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
