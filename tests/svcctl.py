"""Runs svcctl within a test, in this process, which is quick, or as a program; rows for it."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..ctl.main import main
from ..ctl.tool import SVCCTL, Tool
from .ovsdb import Databases

ROOT = Path(__file__).resolve().parents[1]

# A moment in ms since the epoch, and as svcctl prints it.
WHEN_MS = 1_700_000_000_000
WHEN = "2023-11-14T22:13:20Z"


@dataclass(frozen=True)
class Result:
    """What a run said, and its exit status."""

    stdout: str
    stderr: str
    status: int


def add_router(databases: Databases, name: str, *networks: str, **columns: Any) -> str:
    """Adds a router to OVN_Northbound, with a gateway port in 'networks'; returns its UUID.

    What tests take for local subnets is behind it by routes.
    """
    chassis = {"name": f"{name}-gw-hv1", "chassis_name": "hv1"}
    port = {
        "name": f"{name}-gw",
        "mac": "02:00:00:00:00:01",
        "networks": ["set", [*(networks or ("1.0.0.2/24",))]],
        "gateway_chassis": ["named-uuid", "chassis"],
    }
    inside = ("192.168.0.0/16", "10.0.0.0/8", "172.16.0.0/12")
    routes = [
        {
            "op": "insert",
            "table": "Logical_Router_Static_Route",
            "uuid-name": f"route{number}",
            "row": {"ip_prefix": prefix, "nexthop": "1.0.0.254"},
        }
        for number, prefix in enumerate(inside)
    ]
    named = ["set", [["named-uuid", route["uuid-name"]] for route in routes]]
    router = {"name": name, "ports": ["named-uuid", "port"], "static_routes": named, **columns}
    results = databases.ovn_nb.transact(
        *routes,
        {"op": "insert", "table": "Gateway_Chassis", "uuid-name": "chassis", "row": chassis},
        {"op": "insert", "table": "Logical_Router_Port", "uuid-name": "port", "row": port},
        {"op": "insert", "table": "Logical_Router", "row": router},
    )
    uuid: str = results[-1]["uuid"][1]
    return uuid


def add_container(databases: Databases) -> None:
    """Adds chassis hv1 to hv3, judged alive, and container vpn-1 of group g, bound to hv1."""
    for name in ("hv1", "hv2", "hv3"):
        databases.sb.insert("Chassis", name=name, hostname=f"{name}.cloud", service_types="ipsec")
        weight = {"weight": 1, "limit": -1, "alive": True, "since": WHEN_MS}
        databases.sb.insert("Chassis_Weight", chassis=name, **weight)
    group = databases.nb.insert("Container_Group", name="g")
    row = {"service_type": "ipsec", "chassis": "hv1", "status_code": "running"}
    databases.nb.insert("Service_Container", name="vpn-1", group=["uuid", group], **row)
    bind(databases, "vpn-1", "hv1")


def bind(databases: Databases, container: str, chassis: str, role: str = "active") -> None:
    """Adds a Container_Binding."""
    row = {"service_type": "ipsec", "role": role, "generation": 2, "status_code": "running"}
    databases.sb.insert("Container_Binding", container=container, chassis=chassis, **row)


def update(databases: Databases, **columns: Any) -> None:
    """Sets columns of container vpn-1."""
    databases.nb.update("Service_Container", [["name", "==", "vpn-1"]], **columns)


def wish(databases: Databases, **columns: Any) -> None:
    """Sets columns of the wish for container vpn-1, which is made if need be."""
    where = [["name", "==", "vpn-1"]]
    if not databases.nb.rows("Container_Wish", where):
        databases.nb.insert("Container_Wish", name="vpn-1")
    databases.nb.update("Container_Wish", where, **columns)


def find_wish(databases: Databases) -> dict[str, Any]:
    """Returns the wish for container vpn-1; {} if there is none."""
    rows = databases.nb.rows("Container_Wish", [["name", "==", "vpn-1"]])
    return rows[0] if rows else {}


class Svcctl:
    """svcctl on the databases of a test."""

    def __init__(self, databases: Databases) -> None:
        self.databases = databases

    def __call__(self, *words: str, database: str = "SVC_Northbound") -> Result:
        """Runs svcctl in this process."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            tool = SVCCTL
            if database != tool.database:
                tool = Tool(tool.name, tool.purpose, database, tool.sections)
            status = main([*self.remotes(database), *words], tool)
        return Result(out.getvalue(), err.getvalue(), status)

    def good(self, *words: str) -> str:
        """Runs svcctl, which must succeed and complain of nothing, and returns its output."""
        result = self(*words)
        assert (result.status, result.stderr) == (0, ""), f"{words}: {result}"
        return result.stdout

    def tell(self, status: int, *words: str) -> str:
        """Runs 'svcctl status', which must exit so and complain of nothing; returns its output."""
        result = self("status", *words)
        assert (result.status, result.stderr) == (status, ""), f"{words}: {result}"
        return result.stdout

    def bad(self, *words: str) -> str:
        """Runs svcctl, which must fail and write nothing, and returns its one line of reason."""
        before = self.databases.nb.dump()
        result = self(*words)
        assert (result.status, result.stdout) == (1, ""), f"{words}: {result}"
        assert self.databases.nb.dump() == before, words
        line, newline, rest = result.stderr.partition("\n")
        assert (newline, rest) == ("\n", ""), f"{words}: {result}"
        assert line.startswith("svcctl: "), line
        return line.removeprefix("svcctl: ")

    def remotes(self, database: str = "SVC_Northbound") -> list[str]:
        """Returns the options that point svcctl at the test's databases."""
        databases = self.databases
        db = databases.nb if database == "SVC_Northbound" else databases.ovn_nb
        return [
            f"--db={db.remote}",
            f"--sb-db={databases.sb.remote}",
            f"--ovn-db={databases.ovn_nb.remote}",
            "--no-syslog",
        ]

    def start(self, *words: str, stdin: int | None = None) -> subprocess.Popen[str]:
        """Starts svcctl as a program."""
        environment = self.databases.environment()
        # Python without a buffer does not notice that nobody reads any more.
        environment.pop("PYTHONUNBUFFERED", None)
        return subprocess.Popen(
            self.command(*words),
            cwd=ROOT.parent,
            env=environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def command(self, *words: str) -> Sequence[str]:
        """Returns the command line of svcctl as a program of this checkout."""
        return [sys.executable, "-m", f"{ROOT.name}.ctl.main", *words]
