# SPDX-License-Identifier: MPL-2.0
"""A realm of MIT Kerberos for the time of the tests: its files in a temporary directory, its KDC on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

from libzmq_py.mechanisms.gssapi.context import ContextError
from libzmq_py.options import Options
from tests.support.waiting import PATIENCE, wait_until

REALM = "ZMQ.TEST"
_PATH = "/usr/sbin:/sbin:" + os.environ.get("PATH", "/usr/bin:/bin")

_KRB5_CONF = """
[libdefaults]
    default_realm = {realm}
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
    udp_preference_limit = 1
    # For tickets that last seconds.
    clockskew = 1
[realms]
    {realm} = {{
        kdc = 127.0.0.1:{port}
    }}
[domain_realm]
    localhost = {realm}
"""

_KDC_CONF = """
[kdcdefaults]
    kdc_listen = ""
    kdc_tcp_listen = 127.0.0.1:{port}
[realms]
    {realm} = {{
        database_name = {directory}/principal
        key_stash_file = {directory}/stash
        acl_file = {directory}/acl
        max_life = 10h
    }}
[logging]
    kdc = FILE:{directory}/kdc.log
"""


class Kdc:
    """Started as soon as it is made; `environment` leads the Kerberos library of a process to it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = _free_port()
        self.keytab = directory / "keytab"
        self.environment = {
            "KRB5_CONFIG": str(directory / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(directory / "kdc.conf"),
            "KRB5_KTNAME": f"FILE:{self.keytab}",
            "KRB5CCNAME": f"DIR:{directory}/tickets",
            # Not in /var/tmp.
            "KRB5RCACHENAME": f"file2:{directory}/rcache",
        }
        (directory / "tickets").mkdir(mode=0o700)
        names = {"realm": REALM, "port": self.port, "directory": directory}
        (directory / "krb5.conf").write_text(_KRB5_CONF.format(**names))
        (directory / "kdc.conf").write_text(_KDC_CONF.format(**names))
        self.run("kdb5_util", "create", "-s", "-r", REALM, "-P", "of-a-database-that-lives-for-minutes")
        self._process = subprocess.Popen(
            [_find("krb5kdc"), "-n", "-P", str(directory / "pid")],
            env=self._env(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._answers, "the KDC to answer", timeout=2 * PATIENCE)

    def _env(self) -> dict[str, str]:
        # What a test has set counts.
        return {**self.environment, **os.environ, "LC_ALL": "C"}

    def _answers(self) -> bool:
        assert self._process.poll() is None, "the KDC has ended: " + (self.directory / "kdc.log").read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()
        except ConnectionRefusedError:
            return False
        return True

    def run(self, program: str, *arguments: str, text: str = "") -> str:
        """Run one of Kerberos's programs; what it printed."""
        done = subprocess.run(
            [_find(program), *arguments], env=self._env(), input=text, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, f"{program} {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def add_service(self, principal: str, keytab: Path | None = None) -> None:
        """A principal with a key in a keytab."""
        self.run("kadmin.local", "addprinc", "-randkey", principal)
        self.run("kadmin.local", "ktadd", "-k", str(keytab or self.keytab), principal)

    def add_user(self, principal: str, password: str) -> None:
        """A principal with a password."""
        self.run("kadmin.local", "addprinc", "-pw", password, principal)

    def add_key(self, principal: str) -> None:
        """What a user's password makes, for the keytab: libzmq wants a key of clients, too."""
        self.run("kadmin.local", "ktadd", "-norandkey", "-k", str(self.keytab), principal)

    def kinit(self, principal: str, password: str, *arguments: str) -> None:
        """Get a ticket into the credential cache that KRB5CCNAME names."""
        self.run("kinit", *arguments, principal, text=password + "\n")

    def close(self) -> None:
        """End the KDC; the directory is the caller's."""
        self._process.terminate()
        self._process.wait(PATIENCE)


def has_expired() -> bool:
    """The ticket we have is no longer good."""
    from libzmq_py.mechanisms.gssapi.kerberos import Kerberos  # not there where these tests are not collected

    options = Options()
    options.gss_service_principal = b"zmq@localhost"
    try:
        Kerberos().initiate(options).step(b"")
    except ContextError as error:
        assert "expired" in str(error)
        return True
    return False


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _find(program: str) -> str:
    for directory in _PATH.split(":"):
        path = os.path.join(directory, program)
        if os.access(path, os.X_OK):
            return path
    raise AssertionError(f"{program} is not installed: see tests/gssapi/prepare.py")
