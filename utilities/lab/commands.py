"""What commands cost with very many rows, svcctl's beside ovn-nbctl's, with a daemon and without.

On databases of its own: as many VPN services in one as logical switches in the other.  A daemon
of ovn-nbctl has read all when it begins, one of svcctl when it was first asked for a table;
what is measured is what comes after.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...lib import schema
from ...tests.ovsdb import OVN_NORTHBOUND, Database
from .errors import LabError
from .figure import Figure
from .host import VENV_BIN
from .process import run

ROWS = 20_000
_AT_ONCE = 1000
_PATIENCE_S = 60.0
# The same of both; RECORD stands for a row in the middle, TABLE for that of many rows.
_LINES = (
    ("get", "TABLE", "RECORD", "name"),
    ("set", "TABLE", "RECORD", "external_ids:a=b"),
    ("--columns=name", "list", "TABLE"),
    ("list", "TABLE"),
    ("--format=table", "list", "TABLE"),
    ("--format=csv", "list", "TABLE"),
    ("--columns=name", "find", "TABLE", "external_ids!=x=y"),
)


def measure(runs: int) -> Iterator[Figure]:
    """Yields the time of each command, without daemons and then with both."""
    with tempfile.TemporaryDirectory(prefix="ovnsvc-bench") as name:
        directory = Path(name)
        ours = Database(directory, schema.NORTHBOUND)
        theirs = Database(directory, OVN_NORTHBOUND)
        try:
            _fill(ours, "VPN_Service")
            _fill(theirs, "Logical_Switch")
            environment = {
                **os.environ,
                **{"SVC_NB_DB": ours.remote, "OVN_NB_DB": theirs.remote},
                **{"SVC_RUNDIR": name, "OVN_RUNDIR": name},
            }
            environment.pop("PYTHONDONTWRITEBYTECODE", None)  # not what an operator's shell has
            yield from _compare("", environment, runs)
            with _run_daemons(directory, environment) as with_daemons:
                yield from _compare(", by a daemon", with_daemons, runs)
        finally:
            theirs.stop()
            ours.stop()


def _fill(database: Database, table: str) -> None:
    for first in range(0, ROWS, _AT_ONCE):
        numbers = range(first, first + _AT_ONCE)
        database.transact(*(_insert(table, number) for number in numbers))


def _insert(table: str, number: int) -> dict[str, Any]:
    return {"op": "insert", "table": table, "row": {"name": f"row{number}"}}


def _compare(how: str, environment: dict[str, str], runs: int) -> Iterator[Figure]:
    for line in _LINES:
        pairs = [
            (
                _measure(str(VENV_BIN / "svcctl"), line, "VPN_Service", environment),
                _measure("ovn-nbctl", line, "Logical_Switch", environment),
            )
            for _ in range(runs)
        ]
        own, others = (list(each) for each in zip(*pairs, strict=True))
        verb = next(word for word in line if not word.startswith("-"))
        text = " ".join(word for word in line if word not in ("TABLE", "RECORD"))
        yield Figure(f"{text} of {ROWS:,} rows{how}", "ms", own, f"ovn-nbctl {verb}", others)


def _measure(program: str, line: Sequence[str], table: str, environment: dict[str, str]) -> float:
    meant = {"TABLE": table, "RECORD": f"row{ROWS // 2}"}
    argv = [program, "--no-syslog", *(meant.get(word, word) for word in line)]
    started = time.perf_counter()
    subprocess.run(argv, env=environment, check=True, capture_output=True, timeout=_PATIENCE_S)
    return (time.perf_counter() - started) * 1000


def _wait_until_kept(socket: str) -> None:
    """Returns when the daemon of svcctl there has read the rows."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        told = run(["ovs-appctl", "-t", socket, "memory/show"], timeout_s=_PATIENCE_S).split()
        if int(dict(each.split(":") for each in told)["kept-rows"]) >= ROWS:
            return
        time.sleep(0.1)
    raise LabError(f"the daemon of svcctl has not read {ROWS} rows")


@contextmanager
def _run_daemons(directory: Path, environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """Runs a daemon of each program; yields the environment of who asks them."""
    programs = (("SVC_NB_DAEMON", str(VENV_BIN / "svcctl")), ("OVN_NB_DAEMON", "ovn-nbctl"))
    sockets: dict[str, str] = {}
    try:
        for variable, program in programs:
            own = [f"--unixctl={directory}/{variable}.ctl", f"--pidfile={directory}/{variable}.pid"]
            started = subprocess.run(
                [program, *own, "--detach"],
                env=environment,
                check=True,
                capture_output=True,
                text=True,
                timeout=_PATIENCE_S,
            )
            sockets[variable] = started.stdout.strip()
        with_daemons = {**environment, **sockets}
        _measure(programs[0][1], _LINES[0], "VPN_Service", with_daemons)
        _wait_until_kept(sockets["SVC_NB_DAEMON"])
        yield with_daemons
    finally:
        for path in sockets.values():
            run(["ovs-appctl", "-t", path, "exit"], timeout_s=_PATIENCE_S)
