"""The pure parts of the service type 'ipsec': configuration, network, reasons, tunnels."""

from __future__ import annotations

import json
import socket
import uuid
from pathlib import Path
from typing import Any

import pytest

from ..lib.errors import ConfigError
from ..services.api.host import UNREACHABLE, Address, Port, Route, Site
from ..services.ipsec.host import children, connections, ike, network, vici
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


def format_only(*members: dict[str, Any]) -> tuple[dict[str, Any], connections.Connection]:
    """Returns the message of the only IKE connection, and the first connection of it."""
    ((name, found),) = ike.find_ikes(make_settings(*members).connections).items()
    return ike.format_ike(found)[name], found.members[0]


def test_message_of_a_connection() -> None:
    message, connection = format_only(connect(A, B))
    assert message["local_addrs"] == [A.outer]
    assert message["mobike"] == "no"
    assert message["unique"] == "replace"
    assert message["keyingtries"] == 0
    assert message["rekey_time"] == "12960s"
    child = message["children"][connection.id]
    assert (child["local_ts"], child["remote_ts"]) == ([A.subnet], [B.subnet])
    assert child["start_action"] == "none"


def test_message_has_all_proposals_in_their_order() -> None:
    first, second = ["aes256gcm16-prfsha256-ecp256", "aes256-sha256-ecp256"], ["aes256-sha256"]
    message, connection = format_only(connect(A, B, ike_proposals=first, esp_proposals=second))
    assert message["proposals"] == first
    assert message["children"][connection.id]["esp_proposals"] == second


def test_lifetime_by_bytes() -> None:
    message, connection = format_only(connect(A, B, esp_lifetime_bytes=2_000_000))
    child = message["children"][connection.id]
    bounds = [child[key] for key in ("life_bytes", "rekey_bytes", "rand_bytes")]
    assert bounds == ["2000000", "1600000", "200000"]
    message, connection = format_only(connect(A, B))
    assert "life_bytes" not in message["children"][connection.id]


def test_forced_encapsulation_makes_the_tunnel_anew() -> None:
    settings = [
        ike.format_settings(make_settings(connect(A, B, **each)).connections[0])
        for each in ({}, {"force_udp_encapsulation": True})
    ]
    assert [each["encap"] for each in settings] == ["no", "yes"]


@pytest.mark.parametrize(
    ("action", "delay"),
    [("hold", "30s"), ("clear", "30s"), ("restart", "30s"), ("disabled", "0s")],
)
def test_dead_peer_detection(action: str, delay: str) -> None:
    message, connection = format_only(connect(A, B, dpd_action=action))
    # Who begins anew is the gateway, in any case.
    assert message["children"][connection.id]["dpd_action"] == "clear"
    assert message["dpd_delay"] == delay


def test_each_pair_has_a_child_of_its_own() -> None:
    subnets = ["10.1.0.0/24", "10.2.0.0/24"]
    (connection,) = make_settings(connect(A, B, ike_version=1, local_subnets=subnets)).connections
    apart = {
        f"{connection.id}-0": (["10.1.0.0/24"], [B.subnet]),
        f"{connection.id}-1": (["10.2.0.0/24"], [B.subnet]),
    }
    assert children.find_children(connection) == apart
    (connection,) = make_settings(connect(A, B, local_subnets=subnets)).connections
    whole = {connection.id: (subnets, [B.subnet])}
    assert children.find_children(connection) == {**whole, **apart}


def test_connections_with_the_same_ends_are_one_ike_connection() -> None:
    second = {"id": str(uuid.UUID(int=1)), "name": "second", "peer_subnets": ["10.9.0.0/24"]}
    message, _ = format_only(connect(A, B), connect(A, B, **second))
    assert [each["remote_ts"] for each in message["children"].values()] == [
        ["10.9.0.0/24"],
        [B.subnet],
    ]
    with pytest.raises(ConfigError, match="the same addresses and identities, but other settings"):
        connections.parse(configure(connect(A, B), connect(A, B, **second, ike_version=1)))


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


# -- bounds -------------------------------------------------------------------------


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
    assert vici.can_be_sent(ike.format_secret(connection, "x" * length)) is can_be


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
