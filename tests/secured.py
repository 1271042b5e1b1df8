"""A southbound as chassis reach it where roles are in force, and what the key of one can do there.

The southbound of the test listens with TLS as well, on a remote of table Connection that has the
role svc-controller.  Keys and certificates are those of utilities/svc-pki.  svc-northd, and the
test itself, use the unix socket, which has no role.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..lib.exposure import CHASSIS_ROLE
from .ovsdb import Database, exchange, wait_until
from .tls import find_free_port, is_listening

_SVC_PKI = Path(__file__).parent.parent / "utilities" / "svc-pki"

Operation = Mapping[str, Any]


class Pki:
    """Keys and certificates of one cloud, in 'directory'."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.run("init")

    def make(self, kind: str, name: str) -> Path:
        """Returns the directory with the key and certificate of a server, chassis or client."""
        made = self.directory / kind / name
        if not made.exists():
            self.run(kind, name)
        return made

    def run(self, *words: str) -> None:
        """Runs svc-pki, which must succeed."""
        call = (str(_SVC_PKI), f"--dir={self.directory}", *words)
        subprocess.run(call, check=True, capture_output=True)


class Secured:
    """Serves 'southbound' to chassis with TLS and roles, until its server is stopped."""

    def __init__(self, southbound: Database, pki: Pki) -> None:
        self._southbound = southbound
        self._pki = pki
        own = pki.make("server", "central")
        southbound.stop()
        southbound.options = (
            f"--remote=db:{southbound.name},SB_Global,connections",
            *(f"--private-key={own}/privkey.pem", f"--certificate={own}/cert.pem"),
            f"--ca-cert={own}/sb-cacert.pem",
        )
        southbound.start()
        self.port = find_free_port()

    def listen(self) -> None:
        """Opens the remote; the southbound has its root row by now."""
        target = f"pssl:{self.port}:127.0.0.1"
        row = {"target": target, "role": CHASSIS_ROLE}
        made = ["set", [["named-uuid", "made"]]]
        self._southbound.transact(
            {"op": "insert", "table": "Connection", "uuid-name": "made", "row": row},
            {
                "op": "mutate",
                "table": "SB_Global",
                "where": [],
                "mutations": [["connections", "insert", made]],
            },
        )
        wait_until(lambda: is_listening(self.port), "the remote of the chassis")

    def enter(self, kind: str, name: str) -> KeyHolder:
        """Returns whoever has the key of a chassis or client, connected."""
        return KeyHolder(self._southbound.name, self.port, self._pki.make(kind, name))


class KeyHolder:
    """Whoever has the key and certificate in a directory, with no program of ours: JSON-RPC."""

    def __init__(self, database: str, port: int, keys: Path) -> None:
        self._database = database
        context = ssl.create_default_context(cafile=str(keys / "cacert.pem"))
        # The name is nobody's business, the authority is (ovs/stream.py).
        context.check_hostname = False
        context.load_cert_chain(keys / "cert.pem", keys / "privkey.pem")
        plain = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._connection = context.wrap_socket(plain)

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def request(self, method: str, *params: Any) -> Any:
        """Returns the result of a JSON-RPC request."""
        return exchange(self._connection, method, params)

    def transact(self, *operations: Operation) -> list[Any]:
        """Returns the results of a transaction, of those that failed among them."""
        results: list[Any] = self.request("transact", self._database, *operations)
        return results

    def find_refusal(self, *operations: Operation) -> str:
        """Returns what the server says of a transaction that it refuses; "" if it takes it."""
        results = self.transact(*operations)
        errors = [each for each in results if each and "error" in each]
        return f"{errors[0]['error']}: {errors[0].get('details', '')}" if errors else ""
