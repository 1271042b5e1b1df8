"""A chassis is cut from central and the other chassis, with all that runs on it alive."""

from __future__ import annotations

import signal

import pytest

from ...utilities.lab import cloud
from ...utilities.lab.host import Host
from .scene import Scene

# Through the tunnel, within a container's port: in clear before it is encrypted, or encrypted.
TRAFFIC = "icmp or esp or udp port 4500"
# Beyond chassis-dead-after, at ten a second.
MORE_THAN_DEAD_AFTER = 100


def ask_isolation(host: Host) -> str:
    """Returns what a chassis says of its isolation."""
    ask = ("ovs-appctl", "-t", "svc-controller", "isolation-status")
    return host.run("env", "OVS_RUNDIR=/run/ovnsvc", *ask)


def wait_known(scene: Scene) -> None:
    """Waits until each chassis knows that others answer its echoes."""
    for host in scene.lab.list_chassis():
        scene.operator.wait(lambda: "chassis answered" in ask_isolation(host), host.name)  # noqa: B023


# With vm1's hv1 the gateway of the router, then with hv1 itself cut.
@pytest.mark.parametrize(
    ("place", "guest", "beside"), [("hv2", "vm1", "vm2"), ("hv1", "vm2", "vm1")]
)
def test_cut_chassis_is_taken_over_and_then_tidies_up(
    scene: Scene, place: str, guest: str, beside: str
) -> None:
    """Guest 'beside' is on the cut chassis, and is not to be served there meanwhile."""
    scene.begin(place, guest)
    operator = scene.operator
    wait_known(scene)
    hosts = scene.lab.list_chassis()
    captures = {host.name: operator.capture_on(host.name, TRAFFIC) for host in hosts}
    local = operator.ping(beside)
    for ping in (scene.ping, local):
        ping.wait_answers(5)
    host = operator.host(place)
    cloud.partition(scene.lab, host)
    taken = scene.wait_moved(place)
    scene.wait_traffic()
    assert "fenced while isolated" in ask_isolation(host)
    assert scene.has_debris(place)
    cloud.heal(scene.lab, host)
    operator.wait(lambda: not scene.has_debris(place), "the cut chassis to tidy up")
    local.wait_answers(5)
    scene.end()
    assert "not fenced" in ask_isolation(host)
    assert scene.list_places() == [taken]
    for capture in captures.values():
        capture.stop()
    before = captures[place].list_times(scene.container)
    after = captures[taken].list_times(scene.container)
    assert before
    assert after
    assert max(before) < min(after), "two containers of one VPN got traffic"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_southbound_is_away_for_long_and_no_packet_is_lost(
    scene: Scene, number: signal.Signals
) -> None:
    scene.begin("hv2", "vm1")
    wait_known(scene)
    central = scene.operator.host("central")
    cloud.kill_process(central, "svcsb_db", number)
    scene.ping.wait_answers(MORE_THAN_DEAD_AFTER)
    for host in scene.lab.list_chassis():
        assert "not fenced" in ask_isolation(host)
    if number == signal.SIGSTOP:
        cloud.kill_process(central, "svcsb_db", signal.SIGCONT)
    else:
        cloud.start_process(central, "svcsb_db")
    assert scene.end().lost == 0
    assert scene.list_places() == ["hv2"]


def test_central_dies_for_long_and_no_packet_is_lost(scene: Scene) -> None:
    scene.begin("hv2", "vm1")
    wait_known(scene)
    central = scene.operator.host("central")
    central.kill()
    scene.ping.wait_answers(MORE_THAN_DEAD_AFTER)
    for host in scene.lab.list_chassis():
        assert "not fenced" in ask_isolation(host)
    cloud.boot(scene.lab, central)
    assert scene.end().lost == 0
    assert scene.list_places() == ["hv2"]
