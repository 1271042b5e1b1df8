"""An ovsdb-server that speaks TLS, for a northbound."""

from __future__ import annotations

import socket
import subprocess

from .ovsdb import Databases, find_schema, wait_until


class Tls:
    """An ovsdb-server that speaks TLS with a certificate of a CA, and a client's key and file."""

    def __init__(self, databases: Databases) -> None:
        directory = databases.directory
        self.ca, self.bootstrap = f"{directory}/ca.crt", f"{directory}/bootstrapped.crt"
        make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        make += ["-nodes", "-days", "1"]
        signed = ["-CA", self.ca, "-CAkey", f"{directory}/ca.pem"]
        for name, more in (("ca", []), ("key", signed)):
            paths = ["-keyout", f"{directory}/{name}.pem", "-out", f"{directory}/{name}.crt"]
            subject = ["-subj", f"/CN={name}"]
            subprocess.run([*make, *subject, *paths, *more], check=True, capture_output=True)
        self.own = ("-p", f"{directory}/key.pem", "-c", f"{directory}/key.crt")
        database = f"{directory}/tls.db"
        create = ["ovsdb-tool", "create", database, find_schema(databases.nb.name)]
        subprocess.run(create, check=True)
        port = find_free_port()
        self.remote = f"ssl:127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", "--", "ovsdb-server", "-vconsole:off"),
                *(f"--remote=pssl:{port}:127.0.0.1", f"--unixctl={directory}/tls.ctl"),
                # It sends its CA's certificate, which --bootstrap-ca-cert of a client takes.
                *(*self.own, "-C", self.ca, f"--peer-ca-cert={self.ca}", database),
            ]
        )
        wait_until(lambda: is_listening(port), "the server")

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def find_free_port() -> int:
    """Returns a TCP port that nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
