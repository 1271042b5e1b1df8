"""What a tunnel tells beside its state: algorithms, NAT, moments, what went wrong last."""

from __future__ import annotations

from typing import Any

import pytest

from ..services.ipsec.host.sa_facts import Moments, describe_child, describe_ike
from ..services.ipsec.host.tunnel import CHILD_SA, COUNTER_INTERVAL_MS, DOWN, PARTIAL, UP
from .test_ipsec_tunnels import TWO, Watched

LIBIPSEC = "UDP (kernel-libipsec of this chassis)"
IKE: dict[str, Any] = {
    "uniqueid": b"3",
    "version": b"2",
    "encr-alg": b"AES_GCM_16",
    "encr-keysize": b"256",
    "prf-alg": b"PRF_HMAC_SHA2_256",
    "dh-group": b"CURVE_25519",
    "rekey-time": b"12960",
    "nat-remote": b"yes",
    "nat-any": b"yes",
    "remote-port": b"61002",
}
CHILD: dict[str, Any] = {
    "uniqueid": b"3",
    "encap": b"yes",
    "encr-alg": b"AES_CBC",
    "encr-keysize": b"128",
    "integ-alg": b"HMAC_SHA2_256_128",
    "esn": b"1",
    "rekey-time": b"3240",
    "life-time": b"3600",
}


def describe(child: dict[str, Any], moments: Moments) -> dict[str, str]:
    return describe_child(child, IKE, moments, libipsec=False)


def test_what_charon_says_of_an_sa() -> None:
    moments = Moments(lambda: 30_000)
    assert describe_ike(IKE, moments) == {
        "ike_algorithms": "IKEv2 AES_GCM_16_256/PRF_HMAC_SHA2_256/CURVE_25519",
        "ike_rekeyed_at": "1970-01-01T03:37:00Z",
        "opened_by": "the peer",
        "nat": "the peer",
    }
    assert describe(CHILD, moments) == {
        "esp_algorithms": "ESP AES_CBC_128/HMAC_SHA2_256_128/ESN",
        "esp_rekeyed_at": "1970-01-01T00:55:00Z",
        "esp_ends_at": "1970-01-01T01:01:00Z",
        "encapsulation": "UDP (NAT)",
    }


@pytest.mark.parametrize(
    ("facts", "libipsec", "nat", "cause"),
    [
        # As a peer that has kernel-libipsec, too.
        ({"nat-remote": b"yes", "remote-port": b"4500"}, True, "", LIBIPSEC),
        ({"nat-remote": b"yes", "remote-port": b"1024"}, True, "the peer", LIBIPSEC),
        ({"nat-local": b"yes", "remote-port": b"4500"}, False, "this side", "UDP (NAT)"),
        ({"nat-fake": b"yes"}, True, "", LIBIPSEC),
        ({"nat-fake": b"yes"}, False, "", "UDP (force_udp_encapsulation)"),
        (
            {"nat-remote": b"yes", "remote-port": b"4500"},
            *(False, "", "UDP (the peer wants it, or is behind a NAT that keeps its port)"),
        ),
    ],
)
def test_a_nat_is_named_where_there_is_one(
    facts: dict[str, bytes], libipsec: bool, nat: str, cause: str
) -> None:
    moments = Moments(lambda: 0)
    assert describe_ike(facts, moments)["nat"] == nat
    assert describe_child(CHILD, facts, moments, libipsec)["encapsulation"] == cause
    alone = {**CHILD, "encap": b"no"}
    assert describe_child(alone, facts, moments, libipsec)["encapsulation"] == "none"


def test_a_moment_is_told_once_for_each_sa() -> None:
    """vici counts seconds: told anew it would be another moment again and again."""
    now_ms = 0
    moments = Moments(lambda: now_ms)
    first = describe(CHILD, moments)
    now_ms = 61_000
    assert describe({**CHILD, "rekey-time": b"3230", "life-time": b"-1"}, moments) == first
    assert describe({**CHILD, "uniqueid": b"4"}, moments) != first
    moments.keep([{**IKE, "child-sas": {"x": CHILD}}])
    assert describe(CHILD, moments) == first
    moments.keep([IKE])
    assert describe(CHILD, moments) != first
    assert describe({"uniqueid": b"9", "rekey-time": b"0"}, moments)["esp_rekeyed_at"] == ""


def test_the_last_error_stays_when_the_tunnel_is_up() -> None:
    watched = Watched()
    assert "last_error" not in watched.item.detail
    watched.wall_ms = 5_000
    watched.log("received AUTHENTICATION_FAILED notify error")
    watched.wall_ms = 6_000
    watched.log("received AUTHENTICATION_FAILED notify error", **{"ikesa-uniqueid": "2"})
    watched.show("ESTABLISHED", watched.connection.id, now_ms=1)
    assert (watched.item.state, watched.item.message) == (UP, "")
    assert watched.item.detail["last_error"].startswith("authentication failed")
    assert watched.item.detail["last_error_at"] == "1970-01-01T00:00:05Z"
    # The same again is another one once it was up.
    watched.show("", now_ms=60_000)
    watched.wall_ms = 7_000
    watched.log("received AUTHENTICATION_FAILED notify error", **{"ikesa-uniqueid": "3"})
    assert watched.item.detail["last_error_at"] == "1970-01-01T00:00:07Z"


def test_a_peer_that_closed_what_was_up_is_the_last_error() -> None:
    watched = Watched(initiate=False)
    watched.show("ESTABLISHED", watched.connection.id, now_ms=1)
    watched.log("received DELETE for IKE_SA x[1]")
    watched.show("", now_ms=2)
    watched.show("ESTABLISHED", watched.connection.id, now_ms=3)
    assert "closed the connection" in watched.item.detail["last_error"]


def test_child_sas_are_told_where_there_are_several() -> None:
    watched = Watched(**TWO)
    name = watched.connection.id
    watched.show("ESTABLISHED", name)
    assert [each.name for each in watched.tunnels.items(True)] == [name]
    watched.show("ESTABLISHED", f"{name}-0", f"{name}-1", now_ms=20_000)
    tunnel, *parts = watched.tunnels.items(True)
    assert (tunnel.name, tunnel.subject, tunnel.counters["bytes_in"]) == (name, name, 14)
    assert [(each.kind, each.name, each.subject, each.state) for each in parts] == [
        (CHILD_SA, f"{name}-0", "", UP),
        (CHILD_SA, f"{name}-1", "", UP),
    ]
    assert [each.detail["local_subnets"] for each in parts] == ["10.1.0.0/24", "10.2.0.0/24"]
    assert [each.counters["bytes_in"] for each in parts] == [7, 7]
    watched.tunnels.reset(1)
    [tunnel] = watched.tunnels.items(True)
    assert tunnel.state == DOWN


def test_what_is_left_out_is_named_as_far_as_there_is_room() -> None:
    subnets = [f"10.{number}.0.0/24" for number in range(20)]
    watched = Watched(local_subnets=subnets)
    watched.show("ESTABLISHED", f"{watched.connection.id}-0")
    item = watched.item
    assert item.state == PARTIAL
    told = item.detail["left_out"].split(", ")
    assert told[0] == "10.1.0.0/24 with 192.168.11.0/24"
    assert (len(told), told[-1]) == (17, "and 3 more")
    assert len(item.detail["left_out"]) < 1024


def test_what_went_through_a_tunnel_counts_over_the_sas_that_it_has_had() -> None:
    watched = Watched()
    name = watched.connection.id
    watched.show("ESTABLISHED", name, number=1, bytes_in=100)
    watched.show("ESTABLISHED", name, now_ms=20_000, number=1, bytes_in=900)
    assert watched.item.counters["bytes_in"] == 900
    watched.show("ESTABLISHED", name, now_ms=40_000, number=2, bytes_in=30)
    assert watched.item.counters["bytes_in"] == 930
    # Nothing is counted of a tunnel that was.
    watched.show("", now_ms=50_000)
    watched.show("ESTABLISHED", name, now_ms=60_000, number=3, bytes_in=5)
    assert watched.item.counters["bytes_in"] == 5


def test_the_last_word_on_an_sa_is_counted() -> None:
    watched = Watched()
    name = watched.connection.id

    def tell(number: int, bytes_in: int) -> dict[str, bytes]:
        words = {"name": name, "uniqueid": str(number), "bytes-in": str(bytes_in)}
        return {key: value.encode() for key, value in words.items()}

    def take(children: dict[str, Any]) -> None:
        watched.tunnels.take_change({watched.ike: {"child-sas": children}})

    watched.show("ESTABLISHED", name, number=1, bytes_in=0)
    take({name: {"old": tell(1, 700), "new": tell(2, 0)}})
    # charon tells less of an SA that it deletes, and lists it for a while, or no more.
    watched.show("ESTABLISHED", name, name, now_ms=20_000, number=1, bytes_in=50)
    assert watched.item.counters["bytes_in"] == 750
    for now_ms in (40_000, 60_000, 80_000):
        watched.show("ESTABLISHED", name, now_ms=now_ms, number=2, bytes_in=60)
        assert watched.item.counters["bytes_in"] == 760
    # One that came and went between two lists.
    take({f"{name}-3": tell(3, 5)})
    # The last word comes when it is listed no more.
    watched.show("ESTABLISHED", name, now_ms=100_000, number=4, bytes_in=1)
    take({f"{name}-2": tell(2, 100)})
    for now_ms in (120_000, 140_000, 160_000):
        watched.show("ESTABLISHED", name, now_ms=now_ms, number=4, bytes_in=1)
    assert watched.item.counters["bytes_in"] == 700 + 100 + 5 + 1
    # What it ended with is told while it is down, and is not of the next time.
    take({f"{name}-4": tell(4, 10)})
    # The next one is up already, and the list is of before.
    watched.tunnels.take_change({"up": b"yes", watched.ike: {"child-sas": {name: tell(5, 0)}}})
    watched.show("", now_ms=170_000)
    assert watched.item.counters["bytes_in"] == 815
    take({f"{name}-4": tell(4, 11)})
    watched.show("ESTABLISHED", name, now_ms=180_000, number=5, bytes_in=3)
    assert watched.item.counters["bytes_in"] == 3


def test_a_tunnel_that_comes_up_is_counted_at_the_quick_pace() -> None:
    watched = Watched()
    for now_ms in (0, 100_000, 300_000):
        watched.show("", now_ms=now_ms)
    assert watched.tunnels.counter_interval_ms > COUNTER_INTERVAL_MS
    watched.show("CONNECTING", now_ms=300_010)
    watched.show("ESTABLISHED", watched.connection.id, now_ms=300_020)
    assert watched.tunnels.counter_interval_ms == COUNTER_INTERVAL_MS
