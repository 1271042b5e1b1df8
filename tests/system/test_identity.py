"""A host is given another name: it registers under that one, or says why it cannot.

By TCP: with roles a chassis removes nothing of its former name, and needs a certificate of the new.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ...utilities.lab import cloud, process
from ...utilities.lab.host import Host
from .site import Operator

LOG = "/var/log/ovnsvc/svc-controller.log"
OLD, NEW, TAKEN = "hv2", "hv9", "hv1"


@pytest.fixture
def host(by_tcp: Operator) -> Iterator[Host]:
    """A chassis that has its own name again afterwards, and left no other one behind."""
    operator = by_tcp
    found = operator.host(OLD)
    yield found
    set_name(found, OLD)
    operator.wait_whole()
    where = [["name", "==", NEW]]
    deletes = [
        {"op": "delete", "table": table, "where": where} for table in ("Chassis", "Chassis_Private")
    ]
    operator.transact("SVC_Southbound", *deletes)


def set_name(host: Host, name: str | None) -> None:
    """Sets external_ids:system-id of the local Open vSwitch, or removes it."""
    command = ("ovs-vsctl", "--no-wait")
    if name is None:
        host.run(*command, "remove", "Open_vSwitch", ".", "external_ids", "system-id")
    else:
        host.run(*command, "set", "Open_vSwitch", ".", f"external_ids:system-id={name}")


def count_log(host: Host, sentence: str) -> int:
    """Returns how often svc-controller has logged a sentence."""
    return host.run("cat", LOG).count(sentence)


def rename(host: Host, name: str) -> None:
    """Gives a host another name as OVN wants it: while its ovn-controller is stopped."""
    # Of any other end of it OVN's southbound keeps the old chassis.
    host.run("ovn-appctl", "-t", "ovn-controller", "exit")
    process.wait_until(lambda: not host.find_processes("ovn-controller"), "its end")
    set_name(host, name)
    cloud.start_process(host, "ovn-controller")


def list_others(operator: Operator) -> list[str]:
    """Returns the chassis that keep their names."""
    return sorted({each.name for each in operator.lab.list_chassis()} - {OLD})


def test_a_chassis_that_is_called_otherwise_serves(operator: Operator, host: Host) -> None:
    operator.add_vpn_and_wait()
    rename(host, NEW)
    others = list_others(operator)
    operator.wait(lambda: operator.alive_chassis() == [*others, NEW], "the new name")
    operator.wait(lambda: operator.list_registered() == [*others, NEW], "the old name to go")
    migrate(operator, NEW)
    operator.svcctl("--wait=hv", "sync")
    rename(host, OLD)
    everyone = sorted([*others, OLD])
    operator.wait(lambda: operator.alive_chassis() == everyone, "its own name")
    operator.wait(lambda: operator.list_registered() == everyone, "the other name to go")
    migrate(operator, OLD)
    operator.svcctl("--wait=hv", "sync")


def test_a_name_that_cannot_be_had_says_so(operator: Operator, host: Host) -> None:
    """With an ovn-controller that runs, which OVN does not let have the new name either."""
    operator.add_vpn_and_wait()
    others = list_others(operator)
    for name, chassis, sentence in (
        (NEW, [*others, NEW], "not acknowledged: ovn-controller does not follow"),
        (TAKEN, others, f"another svc-controller claims the chassis name {TAKEN}"),
        (None, others, "external_ids:system-id of the local Open_vSwitch is not set"),
    ):
        before = count_log(host, sentence)
        set_name(host, name)
        operator.wait(lambda: operator.alive_chassis() == chassis, f"{chassis} alive")  # noqa: B023
        operator.try_svcctl("-t", "1", "--wait=hv", "sync")
        operator.wait(lambda: count_log(host, sentence) > before, sentence)  # noqa: B023
    set_name(host, OLD)
    everyone = sorted([*others, OLD])
    operator.wait(lambda: operator.alive_chassis() == everyone, "its own name")
    migrate(operator, OLD)
    operator.svcctl("--wait=hv", "sync")


def migrate(operator: Operator, chassis: str) -> None:
    """Moves the only container to a chassis, where it is to serve."""
    name = operator.row("Service_Container")["name"]
    operator.wait(lambda: operator.row("Service_Container")["chassis"], "a place")
    operator.svcctl("-t", "60", "container-migrate", name, chassis, "--wait")
    operator.wait_tunnel()
    assert operator.find_chassis() == chassis
