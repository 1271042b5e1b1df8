"""The pure parts of the service type 'ipsec': configuration, network, reasons, tunnels."""

from __future__ import annotations

import itertools
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..lib.errors import ConfigError
from ..services.api.host import UNREACHABLE, Address, Port, Route, Site
from ..services.api.item import Item
from ..services.ipsec.host import connections, network, vici
from ..services.ipsec.host.tunnels import CONNECTING, DOWN, UP, Tunnels
from .rig import Side, connect

A, B = Side(10), Side(11)
SITE = Site((Port(("169.254.0.2/30",), ("169.254.0.1",), 1442),))


def configure(*members: dict[str, Any], **document: Any) -> str:
    return json.dumps({"outer_addresses": [A.outer], "connections": members, **document})


def make_settings(*members: dict[str, Any]) -> connections.Settings:
    settings = connections.parse(configure(*members))
    return connections.Settings(
        settings.outer_addresses, settings.connections, network.find_inner_mtu(settings, SITE)
    )


# -- configuration ---------------------------------------------------------------


def test_parse() -> None:
    settings = connections.parse(configure(connect(A, B)))
    (connection,) = settings.connections
    assert settings.outer_addresses == (A.outer,)
    assert connection.peer_address == B.outer
    assert connection.local_subnets == (A.subnet,)
    assert connection.mtu is None


def test_order_in_the_document_does_not_matter() -> None:
    first, second = connect(A, B), connect(A, Side(12))
    assert connections.parse(configure(first, second)) == connections.parse(
        configure(second, first)
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"id": "x"}, "id is not a UUID"),
        ({"peer_address": "venus.example"}, "'venus.example' is not an address"),
        ({"peer_address": None}, "peer_address is missing"),
        ({"local_address": "1.0.0.55"}, "1.0.0.55 is not an outer address"),
        ({"peer_id": 'a"b c'}, "peer_id"),
        ({"peer_id": "a\nb"}, "peer_id"),
        ({"local_subnets": []}, "local_subnets is empty"),
        ({"peer_subnets": ["192.168.2.1/24"]}, "has host bits set"),
        ({"peer_subnets": "192.168.2.0/24"}, "peer_subnets is missing or of a wrong type"),
        ({"ike_version": 3}, "ike_version 3 is not in 1..2"),
        ({"ike_version": True}, "ike_version is missing or of a wrong type"),
        ({"ike_proposals": ["aes128!; rm"]}, "ike_proposals 'aes128!; rm' is not valid"),
        ({"ike_proposals": []}, "ike_proposals has 0 members"),
        ({"esp_proposals": [7]}, "esp_proposals has a member that is no proposal"),
        ({"esp_proposals": "aes128-sha256"}, "esp_proposals is missing or of a wrong type"),
        ({"esp_lifetime_s": 5}, "esp_lifetime_s 5 is not in"),
        ({"esp_lifetime_bytes": 999_999}, "esp_lifetime_bytes 999999 is not in"),
        ({"esp_lifetime_bytes": "1 GB"}, "esp_lifetime_bytes is missing or of a wrong type"),
        ({"force_udp_encapsulation": None}, "force_udp_encapsulation is missing"),
        ({"dpd_action": "pray"}, "'pray' is none of"),
        ({"mtu": "big"}, "mtu is missing or of a wrong type"),
    ],
)
def test_bad_connection_is_named(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        connections.parse(configure(connect(A, B, **change)))
    assert str(caught.value).startswith(f"connection {A.name}/to-{B.name}: ")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("{", "is not JSON"),
        ("[" * 200_000, "is nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "is not JSON"),
        ('"' + "x" * (5 << 20) + '"', "the configuration has more than"),
        ("[]", "is not a JSON object"),
        ("{}", "outer_addresses is missing"),
        (configure(outer_addresses=["x"]), "'x' is not an address"),
        (configure(connections=["x"]), "a connection is not a JSON object"),
        (configure(connections=[{}]), "a connection: name is missing"),
        (configure(connect(A, B), connect(A, B)), "two connections have the same id"),
    ],
)
def test_bad_document_is_named(document: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        connections.parse(document)
    assert sentence in str(caught.value)


def test_message_of_a_connection() -> None:
    (connection,) = make_settings(connect(A, B)).connections
    message = connections.format_connection(connection)[connection.id]
    assert message["local_addrs"] == [A.outer]
    assert message["mobike"] == "no"
    assert message["unique"] == "replace"
    assert message["keyingtries"] == 0
    assert message["rekey_time"] == "12960s"
    child = message["children"][connection.id]
    assert (child["local_ts"], child["remote_ts"]) == ([A.subnet], [B.subnet])
    assert child["dpd_action"] == "restart"
    assert child["start_action"] == "none"


def test_message_has_all_proposals_in_their_order() -> None:
    ike, esp = ["aes256gcm16-prfsha256-ecp256", "aes256-sha256-ecp256"], ["aes256-sha256", "aes128"]
    (connection,) = make_settings(connect(A, B, ike_proposals=ike, esp_proposals=esp)).connections
    message = connections.format_connection(connection)[connection.id]
    assert message["proposals"] == ike
    assert message["children"][connection.id]["esp_proposals"] == esp


def test_lifetime_by_bytes() -> None:
    (connection,) = make_settings(connect(A, B, esp_lifetime_bytes=2_000_000)).connections
    child = connections.format_connection(connection)[connection.id]["children"][connection.id]
    bounds = [child[key] for key in ("life_bytes", "rekey_bytes", "rand_bytes")]
    assert bounds == ["2000000", "1600000", "200000"]
    (connection,) = make_settings(connect(A, B)).connections
    child = connections.format_connection(connection)[connection.id]["children"][connection.id]
    assert "life_bytes" not in child


def test_forced_encapsulation_makes_the_tunnel_anew() -> None:
    (usual,) = make_settings(connect(A, B)).connections
    (forced,) = make_settings(connect(A, B, force_udp_encapsulation=True)).connections
    messages = [connections.format_connection(each)[each.id] for each in (usual, forced)]
    assert [each["encap"] for each in messages] == ["no", "yes"]
    assert connections.format_negotiated(usual) != connections.format_negotiated(forced)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"dpd_action": "restart"}, ("30s", "restart")),
        ({"dpd_action": "hold"}, ("30s", "restart")),
        ({"dpd_action": "clear"}, ("30s", "clear")),
        ({"dpd_action": "disabled"}, ("0s", "clear")),
        ({"dpd_action": "restart", "initiate": False}, ("30s", "clear")),
    ],
)
def test_dead_peer_detection(settings: dict[str, Any], expected: tuple[str, str]) -> None:
    (connection,) = make_settings(connect(A, B, **settings)).connections
    message = connections.format_connection(connection)[connection.id]
    assert (message["dpd_delay"], message["children"][connection.id]["dpd_action"]) == expected


def test_children_of_ikev1_are_pairs() -> None:
    subnets = ["10.1.0.0/24", "10.2.0.0/24"]
    (connection,) = make_settings(connect(A, B, ike_version=1, local_subnets=subnets)).connections
    children = connections.find_children(connection)
    assert [local for local, _peer in children.values()] == [["10.1.0.0/24"], ["10.2.0.0/24"]]
    (connection,) = make_settings(connect(A, B, local_subnets=subnets)).connections
    assert connections.find_children(connection) == {connection.id: (subnets, [B.subnet])}


# -- network -----------------------------------------------------------------------


def test_network_fails_closed() -> None:
    made = network.make_network(make_settings(connect(A, B)), SITE, libipsec=True)
    assert made.addresses == (Address("169.254.0.2/30"),)
    assert made.loopback == (f"{A.outer}/32", f"{A.inner}/32")
    assert made.routes == (
        Route("0.0.0.0/0", "169.254.0.1", A.outer),
        Route(B.subnet, kind=UNREACHABLE),
    )
    lines = made.ruleset.splitlines()
    assert lines[1] == "type filter hook forward priority filter; policy drop;"
    accepted = [line for line in lines if line.endswith(" accept")]
    assert accepted == [
        f'iifname "svc0" oifname "ipsec*" ip saddr {A.subnet} ip daddr {B.subnet} accept',
        f'iifname "ipsec*" oifname "svc0" ip saddr {B.subnet} ip daddr {A.subnet} accept',
    ]
    assert sum("maxseg size set 1302" in line for line in lines) == 2


def test_network_with_esp_of_the_kernel() -> None:
    made = network.make_network(make_settings(connect(A, B)), SITE, libipsec=False)
    accepted = [line for line in made.ruleset.splitlines() if line.endswith(" accept")]
    assert all("rt ipsec exists" in line or "meta ipsec exists" in line for line in accepted)
    assert len(accepted) == 2


@pytest.mark.parametrize(("mtu", "segment"), [(None, 1302), (1300, 1260), (9000, 1302), (68, 68)])
def test_segment_size(mtu: int | None, segment: int) -> None:
    made = network.make_network(make_settings(connect(A, B, mtu=mtu)), SITE, libipsec=True)
    assert f"maxseg size set {segment}\n" in made.ruleset


def test_port_too_small_for_a_tunnel() -> None:
    with pytest.raises(ConfigError, match="MTU 600 is too small"):
        network.find_inner_mtu(
            connections.parse(configure(connect(A, B))), Site((Port((), (), 600),))
        )


# -- tunnels --------------------------------------------------------------------------


class Watched:
    """Tunnels with one connection, and what charon would say of it."""

    def __init__(self, **settings: Any) -> None:
        self.installed = True
        (self.connection,) = make_settings(connect(A, B, **settings)).connections
        self.tunnels = Tunnels()
        self.tunnels.set_connections([self.connection])
        self.tunnels.set_loaded([self.connection.id])

    def log(self, message: str, **keys: str) -> bool:
        names = {"ikesa-name": self.connection.id, "ikesa-uniqueid": "1", **keys}
        event = {"msg": message, **names}
        return self.tunnels.take_log({key: value.encode() for key, value in event.items()})

    def list(self, state: str, *children: str, now_ms: int = 0) -> None:
        made = {
            f"{child}-1": {"name": child.encode(), "state": b"INSTALLED", "bytes-in": b"7"}
            for child in children
        }
        ike_sa = {"state": state.encode(), "version": b"2", "child-sas": made}
        self.tunnels.take_sas([{self.connection.id: ike_sa}] if state else [], now_ms)

    @property
    def item(self) -> Item:
        (item,) = self.tunnels.items(self.installed)
        return item


def test_tunnel_comes_up() -> None:
    watched = Watched()
    assert watched.item.state == DOWN
    assert watched.tunnels.take_due(0) == [(watched.connection.id, watched.connection.id)]
    watched.list("CONNECTING", now_ms=10)
    assert watched.item.state == CONNECTING
    assert watched.item.message == f"connecting to {B.outer}"
    watched.list("ESTABLISHED", watched.connection.id, now_ms=20)
    assert watched.item.state == UP
    assert watched.item.counters["bytes_in"] == 7
    assert watched.tunnels.take_due(10_000) == []


def test_tunnel_without_its_child_is_initiated_again() -> None:
    watched = Watched()
    watched.tunnels.take_due(0)
    watched.list("ESTABLISHED", now_ms=5_000)
    assert watched.item.state == DOWN
    assert watched.tunnels.take_due(5_000) != []


def test_retries_slow_down_and_never_end() -> None:
    watched = Watched()
    moments, now_ms = [], 0
    while now_ms < 120_000:
        if watched.tunnels.take_due(now_ms):
            moments.append(now_ms)
        now_ms += 100
        watched.list("", now_ms=now_ms)
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert gaps == sorted(gaps)
    assert gaps[0] <= 1_100
    assert 14_900 <= gaps[-1] <= 15_100


@pytest.mark.parametrize(
    "prepare",
    [
        lambda watched: watched.tunnels.set_loaded([]),
        lambda watched: watched.list("ESTABLISHED", watched.connection.id),
        lambda watched: watched.list("CONNECTING"),
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


def test_reason_goes_when_the_tunnel_is_up() -> None:
    watched = Watched()
    assert watched.log("received AUTHENTICATION_FAILED notify error")
    assert watched.item.message.startswith("authentication failed")
    watched.list("ESTABLISHED", watched.connection.id, now_ms=1)
    assert watched.item.message == ""
    assert watched.log("retransmit 1 of request with message ID 7")
    assert watched.item.message == ""


def test_figures_of_a_reason_are_not_told_at_once() -> None:
    watched = Watched()
    watched.list("CONNECTING", now_ms=0)
    watched.log("retransmit 1 of request with message ID 0")
    assert watched.item.message == f"no answer from {B.outer} (1 retransmit)"
    watched.log("retransmit 2 of request with message ID 0")
    watched.list("CONNECTING", now_ms=5_000)
    assert watched.item.message == f"no answer from {B.outer} (1 retransmit)"
    watched.list("CONNECTING", now_ms=10_000)
    assert watched.item.message == f"no answer from {B.outer} (2 retransmits)"


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
    watched.list("ESTABLISHED", f"{name}-0")
    assert watched.item.state == DOWN
    assert watched.tunnels.take_due(60_000) == [(name, f"{name}-1")]
    watched.list("ESTABLISHED", f"{name}-0", f"{name}-1")
    assert watched.item.state == UP


def test_waiting_for_the_port_is_told() -> None:
    watched = Watched()
    watched.installed = False
    assert watched.item.message == "waiting for OVN to install the port on this chassis"
    watched.list("ESTABLISHED", watched.connection.id)
    assert watched.item.message == ""


@pytest.mark.parametrize("state", ["ESTABLISHED", "CONNECTING"])
def test_what_is_dropped_can_come_again_at_once(state: str) -> None:
    watched = Watched()
    assert watched.tunnels.take_dropped(False, 0) == []
    for now_ms in (0, 2_000, 6_000):
        watched.tunnels.take_due(now_ms)
        watched.list(state, now_ms=now_ms)
    assert watched.tunnels.take_dropped(False, 6_001) == [watched.connection.id]
    assert watched.tunnels.take_dropped(False, 6_001) == []
    assert watched.tunnels.take_due(6_002) != []


def test_an_initiation_that_charon_has_not_shown_yet_is_dropped() -> None:
    watched = Watched()
    watched.tunnels.take_due(0)
    assert watched.tunnels.take_dropped(False, 1) == [watched.connection.id]


def test_what_is_up_can_be_kept() -> None:
    watched = Watched()
    watched.list("ESTABLISHED", watched.connection.id, now_ms=0)
    assert watched.tunnels.take_dropped(True, 1) == []
    watched.list("CONNECTING", now_ms=2)
    assert watched.tunnels.take_dropped(True, 3) == [watched.connection.id]


def test_hastened_tunnels_wait_no_longer() -> None:
    watched = Watched()
    watched.tunnels.take_due(0)
    watched.list("ESTABLISHED", watched.connection.id, now_ms=20)
    watched.list("", now_ms=30)
    assert watched.tunnels.take_due(40) == []
    watched.tunnels.hasten()
    assert watched.tunnels.take_due(40) != []


def test_what_is_too_much_is_refused() -> None:
    many = [f"10.{each >> 8}.{each & 255}.0/24" for each in range(65)]
    more = [each.replace("10.", "11.", 1) for each in many]
    with pytest.raises(ConfigError, match="4225 pairs of subnets are too many"):
        connections.parse(configure(connect(A, B, local_subnets=many, peer_subnets=more)))
    with pytest.raises(ConfigError, match="ike_proposals has a member that is no proposal"):
        connections.parse(configure(connect(A, B, ike_proposals=["aes128-" * 1000 + "modp2048"])))
    with pytest.raises(ConfigError, match="esp_proposals has 256 members"):
        connections.parse(configure(connect(A, B, esp_proposals=["aes128-sha256"] * 256)))


@pytest.mark.parametrize(("length", "can_be"), [(65_535, True), (65_536, False)])
def test_what_charon_can_be_told_is_bounded(length: int, can_be: bool) -> None:
    (connection,) = make_settings(connect(A, B)).connections
    assert vici.can_be_sent(connections.format_secret(connection, "x" * length)) is can_be


# -- charon's answers -----------------------------------------------------------------


def test_many_answers_may_take_long(tmp_path: Path) -> None:
    """What counts is the time since charon last answered."""
    path = tmp_path / "vici"
    answered: list[vici.Reply] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        channel = vici.Channel(str(path), lambda _name, _event: None)
        charon, _ = listener.accept()
        for _ in range(3):
            channel.request("version", None, answered.append, 0)
        channel.run(0)
        for now_ms in (vici.TIMEOUT_MS, 2 * vici.TIMEOUT_MS):
            charon.sendall(bytes([0, 0, 0, 1, 1]))  # CMD_RESPONSE, empty
            channel.run(now_ms)
        assert (len(answered), channel.idle) == (2, False)
        with pytest.raises(vici.Disconnected, match="did not answer"):
            channel.run(3 * vici.TIMEOUT_MS + 1)
        channel.close()
        charon.close()
