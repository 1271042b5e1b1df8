"""Real charons set up as other vendors' gateways are, and what a container makes of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from .foreign_peer import ForeignPeer
from .ovsdb import wait_until
from .rig import A, Rig, Side, connect

pytestmark = [pytest.mark.system, pytest.mark.timeout(150)]

VENUS = Side(20)
INSIDE = "192.168.20.1"
MORE = "192.168.30.0/24"
SECOND = str(UUID(int=1))
CHILD = {"local_ts": [VENUS.subnet], "remote_ts": [A.subnet], "esp_proposals": ["aes128-sha256"]}
WITH_PFS = {**CHILD, "esp_proposals": ["aes128-sha256-modp2048"]}


def begin(rig: Rig, *connections: dict[str, Any]) -> None:
    """Makes the container with these connections."""
    rig.bind(A, *connections)
    rig.plug(A)
    rig.wait_running(A)


def change(rig: Rig, **settings: Any) -> None:
    """Changes the only connection of the container."""
    rig.bind(A, connect(A, VENUS, **settings))
    rig.wait_running(A)


def find_items(rig: Rig) -> dict[str, tuple[str, str]]:
    """Returns the state and the message of each tunnel by its connection."""
    rows = rig.sb.rows("Container_Item", [["container", "==", A.name]])
    return {row["name"]: (row["state"], row["message"]) for row in rows}


def count_established(rig: Rig) -> int:
    """Returns how many IKE_SAs the container's charon has had."""
    log = (rig.directory / "log/containers" / f"{A.name}.log").read_text()
    return log.count(" established between ")


def test_a_peer_without_perfect_forward_secrecy_is_told_at_once_and_made_anew(rig: Rig) -> None:
    venus = ForeignPeer(rig, VENUS)
    venus.load("us", A, [CHILD])
    begin(rig, connect(A, VENUS))
    rig.wait_tunnel(A, "up", f"{VENUS.outer} refuses to rekey (no proposal chosen")
    assert venus.ping(INSIDE, A.inner)
    # As at the end of its lifetime: a child SA of its own is refused, one with a new IKE_SA not.
    with venus.control() as session:
        list(session.terminate({"child": "us0", "timeout": "5000"}))
    wait_until(lambda: count_established(rig) == 2, "another IKE_SA")
    rig.wait_tunnel(A, "up")
    assert venus.ping(INSIDE, A.inner)


def test_a_peer_with_perfect_forward_secrecy_is_rekeyed_once(rig: Rig) -> None:
    venus = ForeignPeer(rig, VENUS)
    venus.load("us", A, [WITH_PFS])
    begin(rig, connect(A, VENUS))
    rig.wait_tunnel(A, "up")
    wait_until(
        lambda: dict(rig.tunnel(A)["detail"][1])["esp_algorithms"].endswith("MODP_2048"),
        "a child SA with a key exchange of its own",
        timeout_s=25,
    )
    assert rig.tunnel(A)["message"] == ""
    assert venus.ping(INSIDE, A.inner)


def test_every_packet_is_counted_whichever_sa_it_went_through(rig: Rig) -> None:
    """An IKE_SA is replaced by one that is there before it ends, and then a child SA is."""
    venus = ForeignPeer(rig, VENUS)
    venus.load("us", A, [WITH_PFS])
    begin(rig, connect(A, VENUS))
    rig.wait_tunnel(A, "up")
    sent = ping_all(venus, 5)
    with venus.control() as session:
        session.rekey({"ike": "us", "reauth": "yes"})
    wait_until(lambda: venus.find_in_log(r"IKE_SA us\[2\] established"), "another IKE_SA")
    sent += ping_all(venus, 5)
    wait_until(lambda: venus.count_ike_sas() == 1, "the first IKE_SA to end")
    sent += ping_all(venus, 5)
    with venus.control() as session:
        session.rekey({"child": "us0"})
    wait_until(lambda: venus.find_in_log("outbound CHILD_SA us0.* established"), "the rekeying")
    sent += ping_all(venus, 5)
    expected = {"packets_in": sent, "packets_out": sent, "bytes_in": 84 * sent}
    try:
        wait_until(lambda: expected.items() <= count(rig).items(), str(expected), timeout_s=100)
    except AssertionError:
        print(rig.tunnel(A))
        print((rig.directory / "log/containers" / f"{A.name}.log").read_text())
        raise


def test_every_packet_is_counted_where_we_replace_the_sa(rig: Rig) -> None:
    """The first child SA is rekeyed by us, and nobody has read its counters since it is up."""
    venus = ForeignPeer(rig, VENUS)
    venus.load("us", A, [WITH_PFS])
    begin(rig, connect(A, VENUS))
    rig.wait_tunnel(A, "up")
    sent = ping_all(venus, 5)
    wait_until(lambda: venus.find_in_log("outbound CHILD_SA us0.* established"), "the rekeying")
    sent += ping_all(venus, 2)
    # Figures are read at a pace that grows from 10 s to 80 s.
    expected = {"packets_in": sent, "packets_out": sent, "bytes_in": 84 * sent}
    wait_until(lambda: expected.items() <= count(rig).items(), str(expected), timeout_s=100)


def ping_all(venus: ForeignPeer, times: int) -> int:
    """Sends packets that must be answered, and returns how many."""
    assert all(venus.ping(INSIDE, A.inner) for _ in range(times))
    return times


def count(rig: Rig) -> dict[str, int]:
    """Returns what is told to have gone through the container's tunnel."""
    return dict(rig.tunnel(A)["counters"][1])


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_peer_that_takes_one_pair_for_each_child(rig: Rig, version: str) -> None:
    venus = ForeignPeer(rig, VENUS, [VENUS.subnet, MORE])
    pairs = [{**WITH_PFS, "local_ts": [each]} for each in (VENUS.subnet, MORE)]
    venus.load("us", A, pairs, version=version)
    both = [VENUS.subnet, MORE]
    begin(rig, connect(A, VENUS, ike_version=int(version), peer_subnets=both))
    rig.wait_tunnel(A, "up")
    assert [local for local, _ in venus.list_children()] == [(VENUS.subnet,), (MORE,)]
    parts = rig.sb.rows("Container_Item", [["kind", "==", "child_sa"]])
    told = [dict(row["detail"][1])["peer_subnets"] for row in parts]
    assert sorted(told) == sorted([VENUS.subnet, MORE])
    assert venus.ping(INSIDE, A.inner)
    assert venus.ping("192.168.30.1", A.inner)
    with venus.control() as session:
        list(session.terminate({"child": "us1", "timeout": "5000"}))
    wait_until(lambda: len(venus.list_children()) == 2, "the one that the peer closed")
    rig.wait_tunnel(A, "up")
    assert venus.ping("192.168.30.1", A.inner)


def test_a_peer_that_narrows_is_no_tunnel_that_is_up(rig: Rig) -> None:
    venus = ForeignPeer(rig, VENUS)
    venus.load("us", A, [{**WITH_PFS, "local_ts": ["192.168.20.0/25"]}])
    begin(rig, connect(A, VENUS))
    rig.wait_tunnel(
        A,
        "partial",
        f"not taken as a whole by the peer, such as {A.subnet} with {VENUS.subnet}"
        f" (of it {A.subnet} with 192.168.20.0/25 is)",
    )
    assert venus.ping(INSIDE, A.inner)


@pytest.mark.parametrize("begins", [True, False])
def test_a_route_based_peer_is_narrowed(rig: Rig, begins: bool) -> None:
    """One with 0.0.0.0/0 on both sides, as conn-export says of such a device."""
    venus = ForeignPeer(rig, VENUS)
    anything = {"local_ts": ["0.0.0.0/0"], "remote_ts": ["0.0.0.0/0"]}
    venus.load("us", A, [{**WITH_PFS, **anything}])
    begin(rig, connect(A, VENUS, initiate=begins))
    if not begins:
        venus.initiate("us0")
    rig.wait_tunnel(A, "up")
    assert venus.list_children() == [((VENUS.subnet,), (A.subnet,))]
    assert venus.ping(INSIDE, A.inner)


def test_connections_to_one_peer_are_children_of_one_ike_sa(rig: Rig) -> None:
    venus = ForeignPeer(rig, VENUS, [VENUS.subnet, MORE])
    venus.load("us", A, [WITH_PFS, {**WITH_PFS, "local_ts": [MORE]}])
    other = connect(A, VENUS, id=SECOND, name="second", peer_subnets=[MORE])
    begin(rig, connect(A, VENUS), other)
    up = {connect(A, VENUS)["id"]: ("up", ""), SECOND: ("up", "")}
    wait_until(lambda: find_items(rig) == up, "both", timeout_s=15)
    assert (len(venus.list_children()), venus.count_ike_sas()) == (2, 1)
    assert venus.ping(INSIDE, A.inner)
    assert venus.ping("192.168.30.1", A.inner)
    # One goes, and the other stays as it is.
    rig.bind(A, connect(A, VENUS))
    wait_until(lambda: len(venus.list_children()) == 1, "one to go")
    assert venus.ping(INSIDE, A.inner)
    assert count_established(rig) == 1
    # One that the peer does not know harms itself only.
    bad = {**other, "peer_subnets": ["192.168.40.0/24"]}
    rig.bind(A, connect(A, VENUS), bad)
    sentence = f"traffic selectors refused: {VENUS.outer} has other subnets"
    wait_until(lambda: find_items(rig).get(SECOND, ("", ""))[1] == sentence, "the refusal")
    assert find_items(rig)[connect(A, VENUS)["id"]] == ("up", "")
    assert count_established(rig) == 1


def test_what_changes_reaches_what_runs(rig: Rig) -> None:
    venus = ForeignPeer(rig, VENUS)
    venus.load("us", A, [WITH_PFS])
    begin(rig, connect(A, VENUS))
    rig.wait_tunnel(A, "up")
    # Of a child SA: it alone is made anew.
    before = venus.find_in_log("CHILD_SA us0.* established")
    change(rig, esp_lifetime_s=600)
    wait_until(lambda: venus.find_in_log("CHILD_SA us0.* established") > before, "a new child SA")
    rig.wait_tunnel(A, "up")
    assert count_established(rig) == 1
    # Of who begins, and what is done for a silent peer: nothing is.
    change(rig, esp_lifetime_s=600, initiate=False, dpd_action="clear")
    assert len(venus.list_children()) == 1
    # Of IKE: the IKE_SA, by us whoever may begin.
    change(rig, esp_lifetime_s=600, initiate=False, dpd_interval_s=5)
    wait_until(lambda: count_established(rig) == 2, "a new IKE_SA")
    rig.wait_tunnel(A, "up")
    assert venus.ping(INSIDE, A.inner)


def test_a_silent_peer_that_is_cleared_is_waited_for(rig: Rig) -> None:
    venus = ForeignPeer(rig, VENUS)
    venus.load("us", A, [WITH_PFS])
    begin(rig, connect(A, VENUS, dpd_action="clear", dpd_interval_s=1))
    rig.wait_tunnel(A, "up")
    rig.run("ip", "link", "set", VENUS.name, "down")
    wait_until(
        lambda: "waiting for it to initiate" in rig.tunnel(A)["message"],
        "the silence",
        timeout_s=30,
    )
    rig.run("ip", "link", "set", VENUS.name, "up")
    rig.run("ip", "route", "replace", f"{VENUS.outer}/32", "via", VENUS.address)
    assert rig.tunnel(A)["state"] == "down"
    with venus.control() as session:
        list(session.terminate({"ike": "us", "timeout": "-1", "force": "yes"}))
    venus.initiate("us0")
    rig.wait_tunnel(A, "up")


def test_a_peer_that_begins_is_answered(rig: Rig) -> None:
    venus = ForeignPeer(rig, VENUS, [VENUS.subnet, MORE])
    both = [VENUS.subnet, MORE]
    venus.load("us", A, [{**WITH_PFS, "local_ts": both}])
    begin(rig, connect(A, VENUS, initiate=False, peer_subnets=both))
    venus.initiate("us0")
    rig.wait_tunnel(A, "up")
    assert venus.list_children() == [(tuple(both), (A.subnet,))]
