"""OVN does not follow: ovn-northd is paused or dead, or OVN's southbound hangs.

A container that starts meanwhile waits for OVN and for nobody else.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ...services.api.compile import NOT_COMPILED
from ...utilities.lab import cloud
from ...utilities.lab.host import Host
from .site import Operator

SENTENCE = "OVN does not follow: "
START_TIMEOUT_S = 5
# One start after the other would have failed on each chassis by then.
BEATS = 5 * START_TIMEOUT_S


def pause(central: Host) -> None:
    """Makes ovn-northd do nothing, as an operator may."""
    central.run("ovn-appctl", "-t", "ovn-northd", "pause")


def resume(central: Host) -> None:
    """Lets ovn-northd go on, if it is there."""
    if central.find_processes("ovn-northd"):
        central.run("ovn-appctl", "-t", "ovn-northd", "resume")


@pytest.fixture
def central(operator: Operator) -> Iterator[Host]:
    """Central, on which OVN is as it should be afterwards."""
    host = operator.host("central")
    yield host
    operator.wait_whole()
    resume(host)


@pytest.mark.parametrize(
    "end",
    [
        pause,
        lambda central: cloud.kill_process(central, "ovn-northd"),
        lambda central: cloud.kill_process(central, "ovnsb_db", signal.SIGSTOP),
    ],
    ids=["paused", "dead", "southbound"],
)
def test_a_container_waits_and_no_chassis_is_blamed(
    operator: Operator, central: Host, end: Callable[[Host], None]
) -> None:
    timeout_ms = START_TIMEOUT_S * 1000
    operator.svcctl("set", "SVC_Global", ".", f"options:container-start-timeout={timeout_ms}")
    end(central)
    operator.add_vpn(wait="none")
    operator.wait(lambda: SENTENCE in read_message(operator), "the row to say it")
    assert operator.row("Service_Container")["status_code"] == "starting"
    operator.wait(lambda: SENTENCE in operator.tell_status(), "the status to say it")
    place = operator.find_chassis()
    first = read_heartbeat(operator, place)
    operator.wait(lambda: read_heartbeat(operator, place) >= first + BEATS, "time to pass", 60)
    assert operator.find_chassis() == place
    assert operator.rows("SVC_Southbound", "Avoided_Chassis") == []
    assert len(operator.rows("SVC_Southbound", "Placement")) == 1
    operator.wait_whole()
    resume(central)
    operator.wait_tunnel()
    assert operator.find_chassis() == place
    operator.wait(lambda: SENTENCE not in read_message(operator), "the row to take it back")
    operator.wait(lambda: SENTENCE not in operator.tell_status(), "the status to")


def read_message(operator: Operator) -> str:
    """Returns what the only container's row says, "" before there is one."""
    rows = operator.rows("SVC_Northbound", "Service_Container")
    return str(rows[0]["status_message"]) if rows else ""


def read_heartbeat(operator: Operator, chassis: str) -> int:
    """Returns the number of a chassis' last heartbeat."""
    rows = operator.rows("SVC_Southbound", "Chassis_Private", ["name", "==", chassis])
    return int(rows[0]["heartbeat"])


def test_what_ovn_did_not_compile_is_not_up(operator: Operator, central: Host) -> None:
    """A subnet that is new while ovn-northd is paused goes where it went before."""
    operator.add_vpn()
    operator.wait_tunnel()
    pause(central)
    operator.svcctl("add", "IPsec_Connection", "to-venus", "peer_subnets", "192.168.77.0/24")
    row = operator.wait(lambda: find_uncompiled(operator), "the row to say it", 40)
    assert row["status"] == "down"
    operator.wait(lambda: SENTENCE in operator.tell_status(), "the status to say it")
    resume(central)
    operator.wait(lambda: not find_uncompiled(operator), "the row to take it back")
    operator.svcctl("remove", "IPsec_Connection", "to-venus", "peer_subnets", "192.168.77.0/24")
    operator.wait_tunnel()


def find_uncompiled(operator: Operator) -> dict[str, Any]:
    """Returns the only connection, if OVN is late with it."""
    row = operator.row("IPsec_Connection")
    return row if NOT_COMPILED in row["status_message"] else {}
