"""What one port more costs OVN: 'ovn-nbctl --wait=sb lsp-add' with many ports, on real ovn-northd.

Called by change.py for the figures that ours stand beside; on databases of its own.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...tests.ovsdb import OVN_NORTHBOUND, Database
from .process import run

PATIENCE_S = 300.0
_PORTS_OF_A_SWITCH = 100
_SOUTHBOUND_SCHEMA = "/usr/share/ovn/ovn-sb.ovsschema"


def measure(ports: int, runs: int) -> list[float]:
    """Returns the time in ms of each of 'runs' commands that add a port to 'ports'."""
    with tempfile.TemporaryDirectory(prefix="ovnsvc-bench") as name:
        directory = Path(name)
        north = Database(directory, OVN_NORTHBOUND)
        try:
            south = Database(directory, "OVN_Southbound", _SOUTHBOUND_SCHEMA)
            try:
                with _run_northd(directory, north, south):
                    return _measure(north, ports, runs)
            finally:
                south.stop()
        finally:
            north.stop()


@contextmanager
def _run_northd(directory: Path, north: Database, south: Database) -> Iterator[None]:
    argv = [
        *("setpriv", "--pdeathsig", "KILL", "--", "ovn-northd"),
        *("-vconsole:off", "-vsyslog:off", f"--unixctl={directory}/ovn-northd.ctl"),
        *(f"--ovnnb-db={north.remote}", f"--ovnsb-db={south.remote}"),
    ]
    with subprocess.Popen(argv, cwd=directory) as northd:
        try:
            yield
        finally:
            northd.kill()


def _measure(north: Database, ports: int, runs: int) -> list[float]:
    for first in range(0, ports, _PORTS_OF_A_SWITCH):
        north.transact(*_make_switch(first, min(_PORTS_OF_A_SWITCH, ports - first)))
    command = ["ovn-nbctl", f"--db={north.remote}", "--wait=sb"]
    run([*command, "sync"], timeout_s=PATIENCE_S)
    taken_ms = []
    for number in range(runs):
        started = time.perf_counter()
        run([*command, "lsp-add", "switch0", f"another{number}"], timeout_s=PATIENCE_S)
        taken_ms.append((time.perf_counter() - started) * 1000)
    return taken_ms


def _make_switch(first: int, ports: int) -> Iterator[dict[str, Any]]:
    for number in range(first, first + ports):
        address = f"0a:00:00:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        row = {"name": f"port{number}", "addresses": f"{address} 10.0.0.{number - first + 1}"}
        yield {
            "op": "insert",
            "table": "Logical_Switch_Port",
            "uuid-name": f"port{number}",
            "row": row,
        }
    names: list[Any] = ["set", [["named-uuid", f"port{first + each}"] for each in range(ports)]]
    switch = {"name": f"switch{first}", "ports": names}
    yield {"op": "insert", "table": "Logical_Switch", "row": switch}
