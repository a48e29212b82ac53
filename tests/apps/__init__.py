# SPDX-License-Identifier: MPL-2.0
"""Programs written for pyzmq, run on libzmq_py: pyzmq's own tests, a Jupyter kernel, ... (tox -e pyzmq-suite, apps)."""
