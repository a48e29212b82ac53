# SPDX-License-Identifier: MPL-2.0
"""Make a key pair for CURVE: ``python -m libzmq_py.curve_keygen``.

Mirrors: tools/curve_keygen.cpp; pyzmq's curve_keygen.py.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from libzmq_py.api.functions import curve_keypair, curve_public
from libzmq_py.errors import ZMQError


def main(argv: Sequence[str] | None = None) -> None:
    """Print a pair: public and secret key, in Z85."""
    parser = argparse.ArgumentParser(
        prog="python -m libzmq_py.curve_keygen", description="Make a key pair for CURVE, printed as Z85."
    )
    parser.add_argument("--json", action="store_true", help="print the keys as a JSON object")
    parser.add_argument("--secret", help="compute the public key that belongs to this secret key")
    options = parser.parse_args(argv)
    if options.secret:
        try:
            public, secret = curve_public(options.secret), options.secret.encode()
        except (ValueError, ZMQError) as error:
            parser.error(str(error))
    else:
        public, secret = curve_keypair()
    if options.json:
        keys = {"public": public.decode(), "secret": secret.decode()}
        sys.stdout.write(json.dumps(keys, indent=1, sort_keys=True) + "\n")
    else:
        print(f"== CURVE PUBLIC KEY ==\n{public.decode()}\n\n== CURVE SECRET KEY ==\n{secret.decode()}")


if __name__ == "__main__":
    main()
