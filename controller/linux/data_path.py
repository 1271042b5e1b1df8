"""The daemons beside us that packets of a container depend on, and what is wrong with them.

ovs-vswitchd forwards; ovn-controller claims ports and installs flows.  Without a
connection to ovsdb-server, of which it wants a lock, ovs-vswitchd serves no OpenFlow,
and in userspace it forwards nothing either (bridge_run() in vswitchd/bridge.c).
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import ovs.poller

from ...lib import dirs
from .daemon import Daemon

OVN_CONTROLLER = "ovn-controller"
_SEPARATOR = "; "


def make_daemons() -> tuple[Daemon, ...]:
    """Returns the daemons, those first of which the failure is felt first."""
    switch, ovn = dirs.OVS_RUNDIR, dirs.OVN_RUNDIR
    return (
        Daemon(os.path.join(switch, "ovs-vswitchd.pid")),
        Daemon(os.path.join(ovn, f"{OVN_CONTROLLER}.pid")),
        Daemon(os.path.join(switch, "ovsdb-server.pid")),
    )


class DataPath:
    """Watches the daemons."""

    def __init__(self, daemons: Iterable[Daemon] | None = None) -> None:
        self._daemons = tuple(make_daemons() if daemons is None else daemons)

    def find_problem(self, now_ms: int, look: bool, known: str, expected: bool) -> str:
        """Returns Chassis_Private:ovn_problem; the arguments are those of Daemon.find_problem.

        Only ovn-controller is 'expected': the others may run without a pid file.
        """
        told = known.split(_SEPARATOR)
        problems = [
            each.find_problem(
                now_ms, look, _find_of(each.name, told), expected and each.name == OVN_CONTROLLER
            )
            for each in self._daemons
        ]
        return _SEPARATOR.join(filter(None, problems))

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for what may change the problem."""
        for each in self._daemons:
            each.wait(poller, now_ms)

    def close(self) -> None:
        """Stops watching."""
        for each in self._daemons:
            each.close()


def _find_of(name: str, problems: Iterable[str]) -> str:
    """Returns what is told of one daemon, without its name."""
    found = (each.removeprefix(f"{name} ") for each in problems if each.startswith(f"{name} "))
    return next(found, "")
