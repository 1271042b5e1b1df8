"""The tunnels of an ipsec container: what charon says -> items, and what is to be begun."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from ..services.api.item import Item
from ..services.ipsec.host import children, ike
from ..services.ipsec.host.tunnel import CONNECTING, DOWN, PARTIAL, UP
from ..services.ipsec.host.tunnels import Tunnels
from .rig import Side, connect
from .test_controller_ipsec import make_settings

A, B = Side(10), Side(11)
SECOND = {"id": str(uuid.UUID(int=1)), "name": "second", "peer_subnets": ["10.9.0.0/24"]}
TWO = {"local_subnets": ["10.1.0.0/24", "10.2.0.0/24"]}
SELECTORS = "received TS_UNACCEPTABLE notify, no CHILD_SA built"
PROPOSAL = "received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built"


class Watched:
    """Tunnels of one container, and what charon would say of them."""

    def __init__(self, *others: dict[str, Any], **settings: Any) -> None:
        self.installed = True
        self.wall_ms = 0
        parsed = make_settings(connect(A, B, **settings), *others).connections
        by_name = {each.name: each for each in parsed}
        self.connection = by_name[connect(A, B)["name"]]
        self.tunnels = Tunnels(lambda: self.wall_ms)
        self.tunnels.set_connections(parsed)
        self.tunnels.set_loaded([each.id for each in parsed])
        self.ike = ike.find_name(self.connection)

    def log(self, message: str, **keys: str) -> bool:
        names = {"ikesa-name": self.ike, "ikesa-uniqueid": "1", **keys}
        event = {"msg": message, **names}
        return self.tunnels.take_log({key: value.encode() for key, value in event.items()})

    def show(self, state: str, *names: str, now_ms: int = 0, spi: str = "1", **takes: Any) -> None:
        """Lists the child SAs 'names', which take what they may, or what 'takes' says of them."""
        number = takes.pop("number", 4)
        made = {
            f"{name}-{each}": self._make_child(name, each, spi, takes)
            for each, name in enumerate(names, start=number)
        }
        ike_sa = {"uniqueid": b"1", "state": state.encode(), "version": b"2", "child-sas": made}
        ike_sa["initiator"] = b"yes"
        self.tunnels.take_sas([{self.ike: ike_sa}] if state else [], now_ms)

    def begin(self, now_ms: int) -> list[str]:
        """Returns the child SAs that are begun now."""
        return [child for each in self.tunnels.take_due(now_ms) for child in each.children]

    def _make_child(
        self, name: str, number: int, spi: str, takes: dict[str, Any]
    ) -> dict[str, Any]:
        tunnel = self.tunnels.by_id[name[:36]]
        may = ike.format_children(ike.Ike("", (tunnel.connection,)))[name]
        local, peer = takes.get("local", may["local_ts"]), takes.get("peer", may["remote_ts"])
        return {
            "name": name.encode(),
            "uniqueid": str(number).encode(),
            "state": b"INSTALLED",
            "spi-in": spi.encode(),
            "bytes-in": str(takes.get("bytes_in", 7)).encode(),
            "local-ts": [each.encode() for each in local],
            "remote-ts": [each.encode() for each in peer],
        }

    @property
    def item(self) -> Item:
        return self.find_item(self.connection.id)

    def find_item(self, name: str) -> Item:
        (item,) = (each for each in self.tunnels.items(self.installed) if each.name == name)
        return item


def test_tunnel_comes_up() -> None:
    watched = Watched()
    assert watched.item.state == DOWN
    assert watched.begin(0) == [watched.connection.id]
    watched.show("CONNECTING", now_ms=10)
    assert watched.item.state == CONNECTING
    assert watched.item.message == f"connecting to {B.outer}"
    watched.show("ESTABLISHED", watched.connection.id, now_ms=20)
    assert watched.item.state == UP
    assert watched.item.counters["bytes_in"] == 7
    assert watched.tunnels.take_due(10_000) == []


def test_tunnel_without_its_child_is_initiated_again() -> None:
    watched = Watched()
    watched.tunnels.take_due(0)
    watched.show("ESTABLISHED", now_ms=5_000)
    assert watched.item.state == DOWN
    assert watched.tunnels.take_due(5_000) != []


def test_retries_slow_down_and_never_end() -> None:
    watched = Watched()
    moments, now_ms = [], 0
    while now_ms < 120_000:
        if watched.tunnels.take_due(now_ms):
            moments.append(now_ms)
        now_ms += 100
        watched.show("", now_ms=now_ms)
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert gaps == sorted(gaps)
    assert gaps[0] <= 1_100
    assert 14_900 <= gaps[-1] <= 15_100


@pytest.mark.parametrize(
    "prepare",
    [
        lambda watched: watched.tunnels.set_loaded([]),
        lambda watched: watched.show("ESTABLISHED", watched.connection.id),
        lambda watched: watched.show("CONNECTING"),
    ],
)
def test_not_initiated(prepare: Callable[[Watched], None]) -> None:
    watched = Watched()
    prepare(watched)
    assert watched.tunnels.take_due(100_000) == []


def test_response_only_is_never_initiated() -> None:
    watched = Watched(initiate=False)
    assert watched.tunnels.take_due(100_000) == []
    assert watched.item.message == f"waiting for {B.outer} to initiate"


def test_response_only_is_initiated_when_charon_ended_what_was_up() -> None:
    watched = Watched(initiate=False)
    watched.tunnels.reset(0)
    assert watched.begin(1) == []
    watched.show("ESTABLISHED", watched.connection.id, now_ms=2)
    watched.tunnels.reset(60_000)
    watched.tunnels.restart(watched.connection.id)  # as the new charon is given all of it
    assert watched.begin(60_001) == [watched.connection.id]
    watched.show("", now_ms=120_000)
    assert watched.begin(120_000) == [watched.connection.id]
    watched.show("ESTABLISHED", watched.connection.id, now_ms=130_000)
    watched.show("", now_ms=190_000)
    assert watched.begin(190_000) == []


def test_two_changes_in_a_row_are_owed_as_one_is() -> None:
    watched = Watched(initiate=False)
    watched.show("ESTABLISHED", watched.connection.id, now_ms=1)
    for now_ms in (1_000, 1_100):
        watched.tunnels.restart(watched.connection.id)
        watched.show("", now_ms=now_ms)
        assert watched.begin(now_ms) == [watched.connection.id]


def test_a_partial_tunnel_that_ends_is_begun_at_once() -> None:
    watched = Watched(**TWO)
    name = watched.connection.id
    watched.show("ESTABLISHED", f"{name}-0", now_ms=0)
    for now_ms in (1_000, 5_000, 20_000, 40_000):
        watched.begin(now_ms)
    watched.show("", now_ms=60_000)
    assert watched.begin(60_000) == [name]


def test_a_routine_delete_is_no_reason_of_what_comes_later() -> None:
    watched = Watched(dpd_action="clear")
    watched.show("ESTABLISHED", watched.connection.id, now_ms=0)
    watched.log("received DELETE for IKE_SA x[1]")
    watched.show("ESTABLISHED", watched.connection.id, now_ms=100)
    watched.log("giving up after 6 retransmits")
    watched.show("", now_ms=60_000)
    assert watched.item.message.endswith("waiting for it to initiate (dpd_action clear)")


def test_reason_goes_when_the_tunnel_is_up() -> None:
    watched = Watched()
    assert watched.log("received AUTHENTICATION_FAILED notify error")
    assert watched.item.message.startswith("authentication failed")
    watched.show("ESTABLISHED", watched.connection.id, now_ms=1)
    assert watched.item.message == ""
    assert watched.log("retransmit 1 of request with message ID 7")
    assert watched.item.message == ""


def test_a_peer_that_closes_what_is_up_is_told() -> None:
    watched = Watched(initiate=False)
    watched.show("ESTABLISHED", watched.connection.id, now_ms=1)
    watched.log("received DELETE for IKE_SA x[1]")
    assert watched.item.message == ""
    watched.show("", now_ms=2)
    assert watched.item.message.startswith(f"{B.outer} closed the connection")
    watched.show("ESTABLISHED", watched.connection.id, now_ms=3)
    watched.show("", now_ms=60_000)
    assert watched.item.message == f"waiting for {B.outer} to initiate"


def test_a_peer_that_does_not_answer_is_told_once_and_since_when() -> None:
    watched = Watched()
    watched.show("CONNECTING", now_ms=0)
    words = f"no answer from {B.outer} since 1970-01-01T00:00:00Z"
    for number in (1, 2, 3):
        watched.log(f"retransmit {number} of request with message ID 0")
        assert watched.item.message == words
        watched.wall_ms += 60_000
        watched.show("CONNECTING", now_ms=number * 10_000)
    # It did answer meanwhile.
    watched.log("received AUTHENTICATION_FAILED notify error")
    watched.log("retransmit 1 of request with message ID 0", **{"ikesa-uniqueid": "2"})
    assert watched.item.message == f"no answer from {B.outer} since 1970-01-01T00:03:00Z"
    watched.show("ESTABLISHED", watched.connection.id, now_ms=40_000)
    watched.show("", now_ms=50_000)
    watched.wall_ms = 0
    watched.log("retransmit 1 of request with message ID 0", **{"ikesa-uniqueid": "3"})
    assert watched.item.message == words


def test_unnamed_sa_is_known_by_its_peer() -> None:
    watched = Watched(initiate=False)
    unnamed = {"ikesa-name": "", "ikesa-uniqueid": "5"}
    assert not watched.log("received proposals unacceptable", **unnamed)
    assert not watched.log(f"{B.outer} is initiating an IKE_SA", **unnamed)
    assert watched.log("received proposals unacceptable", **unnamed)
    assert "no proposal chosen" in watched.item.message


def test_child_of_a_pair_missing() -> None:
    watched = Watched(ike_version=1, local_subnets=["10.1.0.0/24", "10.2.0.0/24"])
    name = watched.connection.id
    watched.show("ESTABLISHED", f"{name}-0")
    assert watched.item.state == PARTIAL
    assert watched.begin(60_000) == [f"{name}-1"]
    watched.show("ESTABLISHED", f"{name}-0", f"{name}-1")
    assert watched.item.state == UP


def test_waiting_for_the_port_is_told() -> None:
    watched = Watched()
    watched.installed = False
    assert watched.item.message == "waiting for OVN to install the port on this chassis"
    watched.show("ESTABLISHED", watched.connection.id)
    assert watched.item.message == ""


@pytest.mark.parametrize("state", ["ESTABLISHED", "CONNECTING"])
def test_what_is_dropped_can_come_again_at_once(state: str) -> None:
    watched = Watched()
    assert watched.tunnels.take_dropped(False, 0) == []
    for now_ms in (0, 2_000, 6_000):
        watched.tunnels.take_due(now_ms)
        watched.show(state, now_ms=now_ms)
    assert watched.tunnels.take_dropped(False, 6_001) == [watched.ike]
    assert watched.tunnels.take_dropped(False, 6_001) == []
    assert watched.tunnels.take_due(6_002) != []


def test_an_initiation_that_charon_has_not_shown_yet_is_dropped() -> None:
    watched = Watched()
    watched.tunnels.take_due(0)
    assert watched.tunnels.take_dropped(False, 1) == [watched.ike]


def test_what_is_up_can_be_kept() -> None:
    watched = Watched()
    watched.show("ESTABLISHED", watched.connection.id, now_ms=0)
    assert watched.tunnels.take_dropped(True, 1) == []
    watched.show("CONNECTING", now_ms=2)
    assert watched.tunnels.take_dropped(True, 3) == [watched.ike]


def test_hastened_tunnels_wait_no_longer() -> None:
    watched = Watched()
    watched.tunnels.take_due(0)
    watched.show("ESTABLISHED", watched.connection.id, now_ms=20)
    watched.show("", now_ms=30)
    assert watched.tunnels.take_due(40) == []
    watched.tunnels.hasten()
    assert watched.tunnels.take_due(40) != []


# -- what is taken in part -----------------------------------------------------


def test_a_peer_that_takes_one_pair_for_each_child_gets_one_for_each() -> None:
    watched = Watched(**TWO)
    name = watched.connection.id
    assert watched.begin(0) == [name]
    watched.show("ESTABLISHED", name, now_ms=10, local=["10.1.0.0/24"])
    assert watched.item.state == PARTIAL
    assert watched.item.message == (
        "1 of 2 pairs of subnets not taken as a whole by the peer,"
        " such as 10.2.0.0/24 with 192.168.11.0/24"
    )
    assert watched.begin(1_100) == [f"{name}-1"]
    watched.show("ESTABLISHED", f"{name}-0", f"{name}-1", now_ms=1_200)
    assert watched.item.state == UP
    # One that the peer closes is begun again, and none but that.
    watched.show("ESTABLISHED", f"{name}-1", now_ms=60_000)
    assert (watched.item.state, watched.begin(60_000)) == (PARTIAL, [f"{name}-0"])


def test_a_peer_that_refuses_several_pairs_gets_one_for_each() -> None:
    watched = Watched(**TWO)
    name = watched.connection.id
    assert watched.begin(0) == [name]
    watched.log(SELECTORS)
    watched.show("ESTABLISHED", now_ms=5_000)
    assert watched.begin(5_000) == [f"{name}-0", f"{name}-1"]
    watched.log(SELECTORS)
    watched.show("ESTABLISHED", now_ms=20_000)
    assert watched.begin(20_000) == [name]


def test_what_is_narrowed_is_told_and_not_begun_again() -> None:
    watched = Watched()
    watched.show("ESTABLISHED", watched.connection.id, peer=["192.168.11.0/25"])
    assert watched.item.state == PARTIAL
    assert watched.item.message.endswith(
        "10.0/24 with 192.168.11.0/24 (of it 192.168.10.0/24 with 192.168.11.0/25 is)"
    )
    assert watched.begin(60_000) == []
    watched.show("ESTABLISHED", watched.connection.id, peer=["192.168.11.0/24[tcp]"])
    assert watched.item.state == PARTIAL


def test_a_part_is_no_silence() -> None:
    watched = Watched()
    watched.begin(0)
    watched.log("retransmit 1 of request with message ID 0")
    watched.show("ESTABLISHED", watched.connection.id, peer=["192.168.11.0/25"])
    assert "no answer" not in watched.item.message
    watched.wall_ms = 60_000
    watched.show("", now_ms=60_000)
    watched.log("retransmit 1 of request with message ID 0", **{"ikesa-uniqueid": "2"})
    assert watched.item.message == f"no answer from {B.outer} since 1970-01-01T00:01:00Z"


@pytest.mark.parametrize("uniqueid", ["0", "1"])
def test_why_an_earlier_attempt_failed_is_no_reason_for_a_part(uniqueid: str) -> None:
    watched = Watched()
    watched.begin(0)
    watched.log(PROPOSAL, **{"ikesa-uniqueid": uniqueid})
    watched.show("ESTABLISHED", watched.connection.id, peer=["192.168.11.0/25"])
    assert ("no proposal" in watched.item.message) == (uniqueid == "1")
    # What the peer says of the rest from then on is.
    watched.log(SELECTORS)
    watched.show("ESTABLISHED", watched.connection.id, peer=["192.168.11.0/25"])
    assert "traffic selectors refused" in watched.item.message


@pytest.mark.parametrize(
    ("selector", "is_part"),
    [
        ("10.1.0.0/25", True),
        ("10.1.0.0/24[tcp]", True),
        ("10.1.0.5..10.1.0.9[udp/53]", True),
        ("10.1.0.5..10.2.0.9", False),
        ("10.1.0.0/16", False),
        ("::/0", False),
        ("dynamic", False),
        ("", False),
    ],
)
def test_which_part_of_a_pair_is_taken(selector: str, is_part: bool) -> None:
    child = {"local-ts": [selector.encode()], "remote-ts": [b"10.9.0.0/24"]}
    found = children.find_part(("10.1.0.0/24", "10.9.0.0/24"), [child])
    assert found == ((selector, "10.9.0.0/24") if is_part else None)


# -- what only a rekeying shows ---------------------------------------------------


def test_a_refused_rekeying_is_told_at_once() -> None:
    watched = Watched()
    watched.show("ESTABLISHED", watched.connection.id, now_ms=0)
    probes = watched.tunnels.probes
    assert (probes.take_due(4_999), probes.find_next_ms()) == ([], 5_000)
    assert (probes.take_due(5_000), probes.find_next_ms()) == (["4"], None)
    watched.log(f"establishing CHILD_SA {watched.connection.id}{{2}} reqid 1")
    watched.log(PROPOSAL)
    watched.log("CHILD_SA rekeying failed, trying again in 7 seconds")
    assert watched.item.state == UP
    assert watched.item.message.startswith(f"{B.outer} refuses to rekey (no proposal chosen: ")
    watched.show("ESTABLISHED", watched.connection.id, now_ms=6_000)
    assert watched.item.message != ""
    assert probes.find_next_ms() is None
    watched.show("ESTABLISHED", watched.connection.id, now_ms=7_000, spi="2")
    assert watched.item.message == ""


def test_what_is_refused_in_an_established_ike_sa_makes_it_anew() -> None:
    watched = Watched()
    watched.show("ESTABLISHED", watched.connection.id, now_ms=0)
    watched.show("ESTABLISHED", now_ms=60_000)
    (first,) = watched.tunnels.take_due(60_000)
    assert not first.anew
    watched.log(PROPOSAL)
    watched.show("ESTABLISHED", now_ms=62_000)
    (second,) = watched.tunnels.take_due(62_000)
    assert second.anew


# -- one IKE connection of several --------------------------------------------------


def test_what_is_refused_is_told_of_its_child_only() -> None:
    watched = Watched(connect(A, B, **SECOND))
    name, other = watched.connection.id, SECOND["id"]
    assert set(watched.begin(0)) == {name, other}
    watched.log(f"establishing CHILD_SA {other}{{2}}")
    watched.log(SELECTORS)
    watched.show("ESTABLISHED", name, now_ms=10)
    assert watched.item.state == UP
    assert watched.find_item(str(other)).message.startswith("traffic selectors refused")
    # The IKE_SA of the one that is up stays.
    watched.show("ESTABLISHED", name, now_ms=60_000)
    (again,) = watched.tunnels.take_due(60_000)
    assert (again.children, again.anew) == ((other,), False)


def test_one_that_may_be_begun_is_enough() -> None:
    watched = Watched(connect(A, B, **SECOND, initiate=False))
    assert set(watched.begin(0)) == {watched.connection.id, SECOND["id"]}


def test_what_is_dropped_of_one_ike_connection_goes_once() -> None:
    watched = Watched(connect(A, B, **SECOND))
    watched.show("ESTABLISHED", watched.connection.id)
    assert watched.tunnels.take_dropped(True, 0) == []
    assert watched.tunnels.take_dropped(False, 0) == [watched.ike]


# -- a peer that is silent -----------------------------------------------------------


@pytest.mark.parametrize(("action", "begun"), [("clear", False), ("hold", True), ("restart", True)])
def test_dead_peer_action(action: str, begun: bool) -> None:
    watched = Watched(dpd_action=action)
    watched.show("ESTABLISHED", watched.connection.id, now_ms=0)
    watched.log("giving up after 6 retransmits")
    watched.show("", now_ms=60_000)
    assert bool(watched.begin(60_000)) is begun
    if not begun:
        assert "waiting for it to initiate" in watched.item.message
        watched.show("ESTABLISHED", watched.connection.id, now_ms=70_000)
        watched.show("", now_ms=90_000)
        assert watched.begin(90_000) != []
