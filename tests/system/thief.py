"""Does at the southbound what the key of a chassis allows, and tries what it does not.

Run on a host as "python3 - ADDRESS PORT CHASSIS SECONDS" with this text as its input; it has no
program of ours.  It prints how many transactions were refused and how many were not, as JSON.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import time
from itertools import count
from typing import Any

KEYS = "/etc/ovnsvc/pki"
DATABASE = "SVC_Southbound"
LOCKS = ("svc_northd", "svc_chassis_hv1", "svc_chassis_hv3")
MANY = 3000
_numbers = count()


def connect(address: str, port: int) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=f"{KEYS}/cacert.pem")
    context.check_hostname = False
    context.load_cert_chain(f"{KEYS}/cert.pem", f"{KEYS}/privkey.pem")
    return context.wrap_socket(socket.create_connection((address, port), timeout=60))


def ask(connection: ssl.SSLSocket, method: str, *params: Any) -> Any:
    """Returns the result of a request, whatever else is told meanwhile."""
    number = next(_numbers)
    message = {"id": number, "method": method, "params": params}
    connection.sendall(json.dumps(message).encode())
    decoder, text = json.JSONDecoder(), ""
    while True:
        text += connection.recv(1 << 16).decode()
        while text:
            try:
                reply, end = decoder.raw_decode(text)
            except ValueError:
                break
            text = text[end:].lstrip()
            if reply.get("id") == number and "result" in reply:
                return reply["result"]


def make_attacks(chassis: str) -> list[dict[str, Any]]:
    """Returns operations on what is not the thief's."""
    other = [["name", "!=", chassis]]
    placed = [["chassis", "!=", chassis]]
    return [
        {"op": "update", "table": "Chassis_Private", "where": other, "row": {"stopping": True}},
        {"op": "update", "table": "Chassis", "where": other, "row": {"public_key": "mine"}},
        {"op": "delete", "table": "Chassis", "where": other},
        {
            "op": "update",
            "table": "Container_Binding",
            "where": placed,
            "row": {"status_code": "error"},
        },
        {"op": "update", "table": "Container_Binding", "where": [], "row": {"chassis": chassis}},
        {"op": "delete", "table": "Redirect_Flow", "where": []},
        {"op": "update", "table": "Northd", "where": [], "row": {"incarnation": "mine"}},
        {"op": "delete", "table": "RBAC_Permission", "where": []},
        {"op": "update", "table": "SB_Global", "where": [], "row": {"nb_cfg": 0}},
    ]


def make_items(chassis: str) -> list[dict[str, Any]]:
    """Returns what is the thief's to write, far too much of it, in odd characters."""
    row = {"chassis": chassis, "kind": "tunnel", "state": "up", "message": "\u20ac\u001b[2J" * 20}
    return [
        {
            "op": "insert",
            "table": "Container_Item",
            "row": {**row, "container": f"c{number % 100}", "name": str(next(_numbers))},
        }
        for number in range(MANY)
    ]


def main() -> None:
    address, port, chassis, seconds = sys.argv[1:]
    connection = connect(address, int(port))
    counts = {"refused": 0, "taken": 0, "stolen": 0}
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        for lock in LOCKS:
            counts["stolen"] += ask(connection, "steal", lock)["locked"]
            ask(connection, "unlock", lock)
        for operation in make_attacks(chassis):
            results = ask(connection, "transact", DATABASE, operation)
            refused = any(each and "error" in each for each in results)
            counts["refused" if refused else "taken"] += 1
        ask(connection, "transact", DATABASE, *make_items(chassis))
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
