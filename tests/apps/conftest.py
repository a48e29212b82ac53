# SPDX-License-Identifier: MPL-2.0
"""The applications are installed by `tox -e apps` only; elsewhere these tests are not part of the suite."""

from __future__ import annotations

import importlib.util

collect_ignore_glob = ["test_*.py"] if importlib.util.find_spec("ipykernel") is None else []
