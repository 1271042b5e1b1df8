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
