"""The configuration of an ipsec container: JSON -> settings -> messages of vici.

Pure.  Called by service_type.py (parse) and by gateway.py (the messages).
schemas/svc-sb.rst documents the JSON.  Names of connections, child SAs and
secrets inside charon are UUIDs of IPsec_Connection rows, never what a user
typed.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ....lib.errors import ConfigError

_IDENTITY = re.compile(r"[\x21-\x7e]{1,255}")
_PROPOSAL = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_MAX_CHARACTERS = 4 << 20
_LONGEST_TEXT = 4096
# Each is four rules of the filter, which nft is to take within a second.
_MOST_PAIRS = 4096
# IKE v1 has one byte for the number of a proposal (RFC 2408, 3.6).
_MOST_PROPOSALS = 255
_DPD_ACTIONS = ("hold", "clear", "restart", "disabled")


@dataclass(frozen=True, slots=True)
class Connection:
    """One remote site; the fields are the keys of the JSON."""

    id: str
    name: str
    local_address: str
    peer_address: str
    local_id: str
    peer_id: str
    local_subnets: tuple[str, ...]
    peer_subnets: tuple[str, ...]
    ike_version: int
    ike_proposals: tuple[str, ...]
    ike_lifetime_s: int
    esp_proposals: tuple[str, ...]
    esp_lifetime_s: int
    esp_lifetime_bytes: int | None
    force_udp_encapsulation: bool
    initiate: bool
    dpd_action: str
    dpd_interval_s: int
    dpd_timeout_s: int
    mtu: int | None


@dataclass(frozen=True, slots=True)
class Settings:
    """All that a container serves; 'connections' are sorted by id.

    'inner_mtu' is the size of the largest packet that fits into the port inside ESP.
    """

    outer_addresses: tuple[str, ...]
    connections: tuple[Connection, ...]
    inner_mtu: int = 0


def parse(configuration: str) -> Settings:
    """Returns the settings in 'configuration'; raises ConfigError naming what is wrong."""
    if len(configuration) > _MAX_CHARACTERS:
        raise ConfigError(f"the configuration has more than {_MAX_CHARACTERS} characters")
    try:
        document = json.loads(configuration)
    except RecursionError as error:
        raise ConfigError("the configuration is nested too deeply") from error
    except ValueError as error:
        raise ConfigError(f"the configuration is not JSON: {error}") from error
    reader = _Reader(document, "the configuration")
    outer = tuple(reader.address_list("outer_addresses"))
    connections = [_parse_connection(each) for each in reader.items("connections")]
    pairs = sum(len(each.local_subnets) * len(each.peer_subnets) for each in connections)
    if pairs > _MOST_PAIRS:
        raise ConfigError(f"{pairs} pairs of subnets are too many; {_MOST_PAIRS} are the most")
    ids = [each.id for each in connections]
    if len(set(ids)) != len(ids):
        raise ConfigError("two connections have the same id")
    for each in connections:
        if each.local_address not in outer:
            raise ConfigError(
                f"connection {each.name}: {each.local_address} is not an outer address"
            )
    return Settings(outer, tuple(sorted(connections, key=lambda each: each.id)))


def find_children(connection: Connection) -> dict[str, tuple[list[str], list[str]]]:
    """Returns the selectors of the child SAs of 'connection' by name: local, peer.

    IKEv2 negotiates all subnets in one child SA; of IKEv1 strongSwan only
    takes the first pair, so that there each pair is a child SA.
    """
    local, peer = list(connection.local_subnets), list(connection.peer_subnets)
    if connection.ike_version != 1 or len(local) * len(peer) == 1:
        return {connection.id: (local, peer)}
    pairs = [([one], [other]) for one in local for other in peer]
    return {f"{connection.id}-{number}": pair for number, pair in enumerate(pairs)}


def format_connection(connection: Connection) -> dict[str, Any]:
    """Returns the message of vici's load-conn."""
    dead_peer = connection.dpd_action != "disabled"
    message: dict[str, Any] = {
        "version": connection.ike_version,
        "local_addrs": [connection.local_address],
        "remote_addrs": [connection.peer_address],
        "proposals": list(connection.ike_proposals),
        "rekey_time": f"{_rekey_s(connection.ike_lifetime_s)}s",
        "over_time": f"{connection.ike_lifetime_s - _rekey_s(connection.ike_lifetime_s)}s",
        "reauth_time": "0s",
        "dpd_delay": f"{connection.dpd_interval_s if dead_peer else 0}s",
        "dpd_timeout": f"{connection.dpd_timeout_s}s",
        # The addresses on lo must not be offered to the peer as alternatives.
        "mobike": "no",
        "encap": "yes" if connection.force_udp_encapsulation else "no",
        "unique": "replace",
        "keyingtries": 0,
        "send_cert": "never",
        "local": {"auth": "psk", "id": connection.local_id},
        "remote": {"auth": "psk", "id": connection.peer_id},
        "children": {
            name: _format_child(connection, local, peer)
            for name, (local, peer) in find_children(connection).items()
        },
    }
    return {connection.id: message}


def format_negotiated(connection: Connection) -> dict[str, Any]:
    """Returns the part of a connection that SAs depend on: who, with what, for which subnets.

    A change of the rest, such as lifetimes and who initiates, leaves SAs as they are.
    """
    return {
        "version": connection.ike_version,
        "addresses": [connection.local_address, connection.peer_address],
        "identities": [connection.local_id, connection.peer_id],
        "encapsulation": connection.force_udp_encapsulation,
        "proposals": [connection.ike_proposals, connection.esp_proposals],
        "selectors": find_children(connection),
    }


def format_secret(connection: Connection, psk: str) -> dict[str, Any]:
    """Returns the message of vici's load-shared; it must not be logged."""
    return {
        "id": connection.id,
        "type": "IKE",
        "data": psk.encode(),
        "owners": [connection.local_id, connection.peer_id],
    }


def format_termination(name: str) -> dict[str, Any]:
    """Returns the message of vici's terminate that ends all SAs of a connection at once.

    charon sends one DELETE for an established IKE_SA and waits for no answer.
    """
    return {"ike": name, "timeout": -1, "force": "yes"}


def _rekey_s(lifetime_s: int) -> int:
    """Returns when to begin a rekeying, so that it is done within the lifetime."""
    return max(1, lifetime_s * 9 // 10)


def _format_lifetime_bytes(most: int | None) -> dict[str, str]:
    """Returns when the bytes of an SA end it, and when to begin a rekeying before that.

    A fifth is left for the rekeying.  The two gateways, which count the same
    packets, are to begin at different moments, so a tenth of it is left to chance.
    """
    if most is None:
        return {}
    moments = {"life_bytes": most, "rekey_bytes": most * 8 // 10, "rand_bytes": most // 10}
    return {key: str(value) for key, value in moments.items()}


def _format_child(connection: Connection, local: list[str], peer: list[str]) -> dict[str, Any]:
    # charon can keep no trap in kernel-libipsec, so that 'hold' is to begin anew as well.
    restart = connection.initiate and connection.dpd_action in ("restart", "hold")
    return {
        "mode": "tunnel",
        "local_ts": local,
        "remote_ts": peer,
        "esp_proposals": list(connection.esp_proposals),
        "life_time": f"{connection.esp_lifetime_s}s",
        "rekey_time": f"{_rekey_s(connection.esp_lifetime_s)}s",
        **_format_lifetime_bytes(connection.esp_lifetime_bytes),
        "dpd_action": "restart" if restart else "clear",
        "start_action": "none",
        "close_action": "none",
    }


def _parse_connection(value: Any) -> Connection:
    reader = _Reader(value, "a connection")
    reader.label = f"connection {reader.text('name')}"
    version = reader.number("ike_version", 1, 2)
    mtu, most = value.get("mtu"), value.get("esp_lifetime_bytes")
    return Connection(
        id=reader.uuid("id"),
        name=reader.text("name"),
        local_address=reader.address("local_address"),
        peer_address=reader.address("peer_address"),
        local_id=reader.match("local_id", _IDENTITY),
        peer_id=reader.match("peer_id", _IDENTITY),
        local_subnets=reader.subnets("local_subnets"),
        peer_subnets=reader.subnets("peer_subnets"),
        ike_version=version,
        ike_proposals=reader.proposals("ike_proposals"),
        ike_lifetime_s=reader.number("ike_lifetime_s", 60, 2**31 - 1),
        esp_proposals=reader.proposals("esp_proposals"),
        esp_lifetime_s=reader.number("esp_lifetime_s", 60, 2**31 - 1),
        esp_lifetime_bytes=(
            None if most is None else reader.number("esp_lifetime_bytes", 10**6, 2**53 - 1)
        ),
        force_udp_encapsulation=reader.boolean("force_udp_encapsulation"),
        initiate=reader.boolean("initiate"),
        dpd_action=reader.choice("dpd_action", _DPD_ACTIONS),
        dpd_interval_s=reader.number("dpd_interval_s", 1, 86400),
        dpd_timeout_s=reader.number("dpd_timeout_s", 1, 86400),
        mtu=None if mtu is None else reader.number("mtu", 68, 65535),
    )


class _Reader:
    """Takes values out of a JSON object; each failure is a sentence about 'label'."""

    def __init__(self, value: Any, label: str) -> None:
        self.label = label
        if not isinstance(value, dict):
            raise ConfigError(f"{label} is not a JSON object")
        self._values: Mapping[str, Any] = value

    def _get(self, key: str, kind: type) -> Any:
        value = self._values.get(key)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise ConfigError(f"{self.label}: {key} is missing or of a wrong type")
        return value

    def text(self, key: str) -> str:
        value = str(self._get(key, str))
        if len(value) > _LONGEST_TEXT:
            raise ConfigError(f"{self.label}: {key} has more than {_LONGEST_TEXT} characters")
        return value

    def boolean(self, key: str) -> bool:
        return bool(self._get(key, bool))

    def number(self, key: str, lowest: int, highest: int) -> int:
        value = int(self._get(key, int))
        if not lowest <= value <= highest:
            raise ConfigError(f"{self.label}: {key} {value} is not in {lowest}..{highest}")
        return value

    def items(self, key: str) -> list[Any]:
        return list(self._get(key, list))

    def match(self, key: str, pattern: re.Pattern[str]) -> str:
        value = self.text(key)
        if pattern.fullmatch(value) is None:
            raise ConfigError(f"{self.label}: {key} {value!r} is not valid")
        return value

    def proposals(self, key: str) -> tuple[str, ...]:
        found = self.items(key)
        if not 0 < len(found) <= _MOST_PROPOSALS:
            raise ConfigError(f"{self.label}: {key} has {len(found)} members")
        for each in found:
            if not isinstance(each, str) or len(each) > _LONGEST_TEXT:
                raise ConfigError(f"{self.label}: {key} has a member that is no proposal")
            if _PROPOSAL.fullmatch(each) is None:
                raise ConfigError(f"{self.label}: {key} {each!r} is not valid")
        return tuple(found)

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        value = self.text(key)
        if value not in choices:
            raise ConfigError(f"{self.label}: {key} {value!r} is none of {', '.join(choices)}")
        return value

    def uuid(self, key: str) -> str:
        try:
            return str(UUID(self.text(key)))
        except ValueError as error:
            raise ConfigError(f"{self.label}: {key} is not a UUID") from error

    def address(self, key: str) -> str:
        return self._address(key, self.text(key))

    def address_list(self, key: str) -> list[str]:
        return sorted({self._address(key, each) for each in self.items(key)})

    def subnets(self, key: str) -> tuple[str, ...]:
        try:
            found = {str(ipaddress.ip_network(str(each))) for each in self.items(key)}
        except ValueError as error:
            raise ConfigError(f"{self.label}: {key}: {error}") from error
        if not found:
            raise ConfigError(f"{self.label}: {key} is empty")
        return tuple(sorted(found))

    def _address(self, key: str, value: Any) -> str:
        try:
            return str(ipaddress.ip_address(str(value)))
        except ValueError as error:
            raise ConfigError(f"{self.label}: {key} {value!r} is not an address") from error
