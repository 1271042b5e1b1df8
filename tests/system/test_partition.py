"""A chassis is cut from central and the other chassis, with all that runs on it alive."""

from __future__ import annotations

import pytest

from ...utilities.lab import cloud
from .scene import Scene

# Through the tunnel, within a container's port: in clear before it is encrypted, or encrypted.
TRAFFIC = "icmp or esp or udp port 4500"


# With vm1's hv1 the gateway of the router, then with hv1 itself cut.
@pytest.mark.parametrize(("place", "guest"), [("hv2", "vm1"), ("hv1", "vm2")])
def test_cut_chassis_is_taken_over_and_then_tidies_up(
    scene: Scene, place: str, guest: str
) -> None:
    scene.begin(place, guest)
    operator = scene.operator
    hosts = scene.lab.list_chassis()
    captures = {host.name: operator.capture_on(host.name, TRAFFIC) for host in hosts}
    scene.ping.wait_answers(5)
    host = operator.host(place)
    cloud.partition(scene.lab, host)
    taken = scene.wait_moved(place)
    scene.wait_traffic()
    assert scene.has_debris(place)
    cloud.heal(scene.lab, host)
    operator.wait(lambda: not scene.has_debris(place), "the cut chassis to tidy up")
    scene.end()
    assert scene.list_places() == [taken]
    for capture in captures.values():
        capture.stop()
    before = captures[place].list_times(scene.container)
    after = captures[taken].list_times(scene.container)
    assert before
    assert after
    assert max(before) < min(after), "two containers of one VPN got traffic"
