"""svc-northd whose transaction stands and whose answer is lost: no content was lost by that."""

from __future__ import annotations

from contextlib import suppress

import pytest

from ..lib.idl import Session
from .cloud import Cloud
from .test_northd_replaced import (
    EXPECTED,
    NAMES,
    add_todays,
    find_running,
    is_back,
    run_long,
    run_until,
)

# What a container has in each database.
ANCHORS = {"nb": "Service_Container", "sb": "Container_Binding", "ovn": "Logical_Switch"}


def lose_answers(session: Session) -> None:
    """Takes away what the server has said and nobody has read."""
    connection = session._connection
    assert connection is not None
    with suppress(BlockingIOError):
        while connection._session.rpc.stream.socket.recv(1 << 20):
            pass


@pytest.mark.parametrize("down", ["", "ovn"])
@pytest.mark.parametrize("name", NAMES)
def test_what_was_deleted_and_not_answered_is_gone(
    served_cloud: Cloud, name: str, down: str
) -> None:
    cloud = served_cloud
    for words in EXPECTED:
        cloud.logs.allow(words)
    before = find_running(cloud)
    add_todays(cloud)
    server, others = getattr(cloud, name), {name, *([down] if down else [])}
    cloud.nb.delete("VPN_Service", [["name", "==", "second"]])
    while len(server.rows(ANCHORS[name])) > 1:
        cloud.northd.run()
        if name != "sb":
            cloud.step_chassis()
    lose_answers(cloud.northd.sessions[name])
    for each in others:
        getattr(cloud, each).stop()
    for each in others:
        getattr(cloud, each).start()
        run_until(cloud, lambda each=each: is_back(cloud, each), each)
    cloud.settle()
    run_long(cloud, cloud.step_chassis)
    assert find_running(cloud) == before
    assert not cloud.northd.replicas.forgotten.names


def test_the_last_step_of_a_move_may_be_unanswered(served_cloud: Cloud) -> None:
    """The container goes on, and its old binding was not lost: deleted later, it ends."""
    cloud = served_cloud
    for words in EXPECTED:
        cloud.logs.allow(words)
    name = _add_second(cloud)
    where = [["container", "==", name]]
    (here,) = (row["chassis"] for row in cloud.sb.rows("Container_Binding", where))
    other = {"hv1": "hv2", "hv2": "hv1"}[here]
    cloud.nb.insert("Container_Wish", name=name, requested_chassis=other)
    while [row["chassis"] for row in cloud.sb.rows("Container_Binding", where)] != [other]:
        cloud.northd.run()
        if len(cloud.sb.rows("Container_Binding", where)) == 2 or _is_on(cloud, name, here):
            cloud.step_chassis()
    lose_answers(cloud.northd.sessions["sb"])
    cloud.sb.stop()
    cloud.sb.start()
    run_until(cloud, lambda: is_back(cloud, "sb"), "sb")
    cloud.settle()
    run_long(cloud, cloud.step_chassis)
    cloud.nb.delete("Container_Wish", [["name", "==", name]])
    _delete_second(cloud, name)


def test_a_standby_may_miss_that_a_warm_one_goes(served_cloud: Cloud) -> None:
    cloud = served_cloud
    for words in EXPECTED:
        cloud.logs.allow(words)
    group = cloud.nb.insert("Container_Group", name="pair", options=["map", [["standby", "1"]]])
    name = _add_second(cloud)
    cloud.nb.update("VPN_Service", [["name", "==", "second"]], group=["uuid", group])
    cloud.settle()
    where = [["container", "==", name]]
    assert len(cloud.sb.rows("Container_Binding", where)) == 2
    other = cloud.start_northd()
    cloud.settle(cloud.northd, other)
    cloud.nb.update("Container_Group", [], options=["map", []])
    while len(cloud.sb.rows("Container_Binding", where)) == 2:
        cloud.northd.run()
    lose_answers(other.sessions["sb"])
    cloud.sb.stop()
    cloud.sb.start()
    run_until(cloud, lambda: is_back(cloud, "sb"), "sb")
    cloud.settle(cloud.northd, other)
    cloud.northd.close()
    cloud.northd = other
    cloud.settle()
    _delete_second(cloud, name)


def _add_second(cloud: Cloud) -> str:
    """Adds the VPN that is named second; returns the name of its container."""
    before = {row["name"] for row in cloud.nb.rows("Service_Container")}
    add_todays(cloud)
    (name,) = {row["name"] for row in cloud.nb.rows("Service_Container")} - before
    return str(name)


def _is_on(cloud: Cloud, name: str, chassis: str) -> bool:
    """Says whether a container is bound to a chassis and nowhere else."""
    rows = cloud.sb.rows("Container_Binding", [["container", "==", name]])
    return [row["chassis"] for row in rows] == [chassis]


def _delete_second(cloud: Cloud, name: str) -> None:
    """Deletes the VPN that is named second; its container ends, and nobody holds it back."""
    cloud.nb.delete("VPN_Service", [["name", "==", "second"]])
    cloud.settle()
    run_long(cloud, cloud.step_chassis)
    assert not cloud.sb.rows("Container_Binding", [["container", "==", name]])
    assert not cloud.northd.replicas.forgotten.names
