"""The lab's databases and svcctl, used from outside of its hosts."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from typing import Any

from .errors import LabError
from .host import VENV_BIN
from .main import format_environment
from .process import run
from .state import Lab

REMOTES = {
    "SVC_Northbound": "SVC_NB_DB",
    "SVC_Southbound": "SVC_SB_DB",
    "OVN_Northbound": "OVN_NB_DB",
    "OVN_Southbound": "OVN_SB_DB",
}
COMMAND_TIMEOUT_S = 60
Row = dict[str, Any]


def transact(lab: Lab, database: str, *operations: object) -> list[dict[str, Any]]:
    """Returns the results of one transaction.  Raises LabError where the database refuses it."""
    remote = format_environment(lab)[REMOTES[database]]
    words = json.dumps([database, *operations])
    answer = run(["ovsdb-client", "--timeout=30", "transact", remote, words])
    results: list[dict[str, Any]] = json.loads(answer)
    refused = [each for each in results if each and "error" in each]
    if refused:
        raise LabError(f"{database}: {refused[0]}")
    return results


def select(lab: Lab, database: str, table: str, *where: list[Any]) -> list[Row]:
    """Returns the rows of a table for which each clause of 'where' holds, as OVSDB's JSON."""
    rows = transact(lab, database, {"op": "select", "table": table, "where": list(where)})
    found: list[Row] = rows[0]["rows"]
    return found


def find_row(lab: Lab, table: str, name: str) -> Row:
    """Returns the row of that name of the northbound; an empty one if there is none."""
    rows = select(lab, "SVC_Northbound", table, ["name", "==", name])
    return rows[0] if rows else {}


def parse_map(value: Sequence[Any]) -> dict[str, str]:
    """Returns a map column as a dict."""
    return dict(value[1])


def svcctl(lab: Lab, *arguments: str) -> str:
    """Returns what svcctl printed.  Raises LabError with its words if it failed."""
    done = subprocess.run(
        [str(VENV_BIN / "svcctl"), f"--timeout={COMMAND_TIMEOUT_S}", *arguments],
        env={**os.environ, **format_environment(lab)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LabError(f"svcctl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
