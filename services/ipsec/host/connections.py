"""The configuration of an ipsec container: JSON -> settings.

Pure.  schemas/svc-sb.rst documents the JSON.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from ....lib.balancer import VirtualAddress
from ....lib.errors import ConfigError
from ..identity import parse as parse_identity
from ..ike_settings import find_agreed
from .balancers import parse_balancers

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
    A change of 'balancers' is one of the network alone, and touches no tunnel.
    """

    outer_addresses: tuple[str, ...]
    connections: tuple[Connection, ...]
    inner_mtu: int = 0
    balancers: tuple[VirtualAddress, ...] = ()


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
    _check_shared(connections)
    for each in connections:
        if each.local_address not in outer:
            raise ConfigError(
                f"connection {each.name}: {each.local_address} is not an outer address"
            )
    return Settings(
        outer,
        tuple(sorted(connections, key=lambda each: each.id)),
        balancers=parse_balancers(document.get("balancers")),
    )


def find_ends(connection: Connection) -> tuple[object, ...]:
    """Returns what tells charon an IKE connection from others: addresses, and whom the ids mean."""
    ids = parse_identity(connection.local_id), parse_identity(connection.peer_id)
    return connection.local_address, connection.peer_address, *ids


def _check_shared(connections: Sequence[Connection]) -> None:
    """Raises ConfigError where two connections are one of IKE, but for its settings."""
    known: dict[tuple[object, ...], Connection] = {}
    for each in connections:
        other = known.setdefault(find_ends(each), each)
        if other is not each and find_agreed(asdict(other)) != find_agreed(asdict(each)):
            raise ConfigError(
                f"connections {other.name} and {each.name} have the same addresses and"
                " identities, but other settings of IKE"
            )


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
