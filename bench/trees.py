# SPDX-License-Identifier: MPL-2.0
"""An earlier state of the project, to be measured beside the present one.

No libzmq twin: test support.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout this file is in."""


class NoSuchTree(Exception):
    """Git does not know the commit; the text is git's."""


@contextlib.contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """Give a folder with the files of a commit, for as long as the context lasts; the checkout stays as it is.

    Raises:
        NoSuchTree: there is no such commit, or no git.
    """
    try:
        archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit], capture_output=True, check=True).stdout
    except FileNotFoundError as error:
        raise NoSuchTree("git is not installed") from error
    except subprocess.CalledProcessError as error:
        raise NoSuchTree(error.stderr.decode(errors="replace").strip()) from error
    with tempfile.TemporaryDirectory(prefix="bench-tree-") as folder:
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        yield Path(folder)
