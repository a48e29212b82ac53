# SPDX-License-Identifier: MPL-2.0
"""Life in a real process: signals, forks, exits, descriptors closed by others, interpreters run in other ways."""
