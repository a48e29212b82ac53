# SPDX-License-Identifier: MPL-2.0
"""The benchmarks still run, and what the project says about itself is true."""
