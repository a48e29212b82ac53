# SPDX-License-Identifier: MPL-2.0
"""What the tests of GSSAPI need: Kerberos, a libzmq that has GSSAPI, and both Python packages built on those.

    python tests/gssapi/prepare.py

Installs what is missing: packages of Debian with apt-get, as root, and Python packages into the environment it runs in.
Says what is missing, and fails, where it cannot.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys

# libzmq of Debian is built with GSSAPI, that of pyzmq's wheels is not.
PACKAGES = ("krb5-kdc", "krb5-admin-server", "krb5-user", "libkrb5-dev", "libzmq3-dev", "pkg-config", "gcc", "g++")
PROGRAMS = ("krb5kdc", "kdb5_util", "kadmin.local", "kinit", "klist", "krb5-config", "pkg-config", "gcc", "g++")
PATH = "/usr/sbin:/sbin:" + os.environ.get("PATH", "/usr/bin:/bin")
# Otherwise the installation asks for the name of a realm.
APT_ENVIRONMENT = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}


def missing() -> list[str]:
    """Programs and headers that are not there."""
    found = [program for program in PROGRAMS if not shutil.which(program, path=PATH)]
    if "pkg-config" not in found and subprocess.run(["pkg-config", "--exists", "libzmq"]).returncode:
        found.append("libzmq (headers)")
    return found


def install_packages() -> None:
    """Let apt-get install Debian's packages, unless all is there."""
    if not missing():
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        sys.exit(
            f"not there: {', '.join(missing())}. Install Debian's {' '.join(PACKAGES)} (or what they are called "
            "elsewhere), or run this as root where there is apt-get."
        )
    for command in (["update", "-q"], ["install", "-qy", "--no-install-recommends", *PACKAGES]):
        if subprocess.run(["apt-get", *command], env=APT_ENVIRONMENT).returncode:
            sys.exit(f"apt-get {' '.join(command)} has failed, see above")
    if missing():
        sys.exit(f"not there even after apt-get install {' '.join(PACKAGES)}: {', '.join(missing())}")


def pip(*arguments: str) -> None:
    """Install into this environment."""
    if subprocess.run([sys.executable, "-m", "pip", "install", "-q", *arguments]).returncode:
        sys.exit(f"pip install {' '.join(arguments)} has failed, see above")


def works(statement: str) -> bool:
    """A statement runs, in a fresh process, as packages change under this one."""
    return subprocess.run([sys.executable, "-c", statement], stderr=subprocess.DEVNULL).returncode == 0


def install_python_packages() -> None:
    """Build pyzmq on the system's libzmq, and gssapi on its Kerberos."""
    has_gssapi = "import zmq; assert zmq.has('gssapi')"
    if not works(has_gssapi):
        version = importlib.metadata.version("pyzmq")
        # Not from the cache: what is there may have been built with a libzmq of its own.
        pip("--no-cache-dir", "--force-reinstall", "--no-deps", "--no-binary", "pyzmq", f"pyzmq=={version}")
    if not works(has_gssapi):
        sys.exit("the libzmq that pkg-config finds was built without GSSAPI")
    if not works("import gssapi"):
        pip("gssapi>=1.8")


if __name__ == "__main__":
    install_packages()
    install_python_packages()
