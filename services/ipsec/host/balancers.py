"""Load balancers of OVN as rules of nft: what comes out of a tunnel for one goes to a member. Pure.

A member is chosen by a hash of the peer's address and port with a seed that is
always the same, so that another chassis chooses the same member for a connection
that it has not seen before.  nf_conntrack translates the answers back.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ....lib.addresses import Subnet
from ....lib.balancer import PROTOCOLS, Endpoint, VirtualAddress, parse_endpoint
from ....lib.errors import ConfigError
from ..balancing import MOST_PAIRS, narrow

if TYPE_CHECKING:
    from .connections import Settings


def parse_balancers(value: Any) -> tuple[VirtualAddress, ...]:
    """Returns 'balancers' of a configuration, which may be missing; raises ConfigError."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ConfigError("the configuration: balancers is of a wrong type")
    found = {each.rank: each for each in map(_parse_virtual, value)}
    pairs = sum(max(1, len(each.members)) for each in found.values())
    if pairs > MOST_PAIRS:
        raise ConfigError(f"{pairs} members of balancers are too many; {MOST_PAIRS} are the most")
    return tuple(found[rank] for rank in sorted(found))


def _parse_virtual(value: Any) -> VirtualAddress:
    if not isinstance(value, dict) or not isinstance(value.get("members"), list):
        raise ConfigError("a balancer is not a JSON object with members")
    port, protocol = value.get("port"), value.get("protocol")
    at = _parse_endpoint(value.get("address"))
    if port is not None:
        known = isinstance(port, int) and not isinstance(port, bool) and 0 < port < 1 << 16
        if not known or protocol not in PROTOCOLS:
            raise ConfigError("a balancer has a port or protocol that is none")
        at = Endpoint(at.address, port)
    elif protocol is not None:
        raise ConfigError("a balancer has a protocol and no port")
    members = {_parse_endpoint(each) for each in value["members"]}
    for each in members:
        same = each.address.version == at.address.version
        if not same or (each.port is None) != (at.port is None):
            raise ConfigError(f"balancer {at}: member {each} does not fit to it")
    return VirtualAddress(at, protocol, tuple(sorted(members, key=lambda each: each.rank)))


def _parse_endpoint(text: Any) -> Endpoint:
    found = parse_endpoint(text) if isinstance(text, str) else None
    if found is None:
        raise ConfigError("a balancer has an address that is none")
    return found


def format_translation(settings: Settings, decrypted: str) -> Iterator[str]:
    """Yields the chain that translates what is 'decrypted'; nothing if there is nothing to do."""
    rules = [
        f"{decrypted} {_format_match(peers, each)} dnat {_find_family(each)} to {_format_to(each)}"
        for peers, each in _list_virtual(settings)
        if each.members
    ]
    if rules:
        yield "chain balance {"
        yield "type nat hook prerouting priority dstnat; policy accept;"
        yield from rules
        yield "}"


def format_refusals(settings: Settings, back: str) -> Iterator[str]:
    """Yields the rules that refuse what comes 'back' for an address without any member."""
    for peers, each in _list_virtual(settings):
        if not each.members:
            verdict = "reject with tcp reset" if each.protocol == "tcp" else "drop"
            yield f"{back} {_format_match(peers, each)} {verdict}"


def _list_virtual(settings: Settings) -> Iterator[tuple[str, VirtualAddress]]:
    """Yields the peer subnets as nft writes them, and what is there for them of each address."""
    groups: dict[tuple[str, ...], set[Subnet]] = {}
    for connection in settings.connections:
        peers = map(ipaddress.ip_network, connection.peer_subnets)
        groups.setdefault(connection.local_subnets, set()).update(peers)
    for local, remote in sorted(groups.items()):
        subnets = [ipaddress.ip_network(each) for each in local]
        sets = {version: _format_set(remote, version) for version in (4, 6)}
        for virtual in settings.balancers:
            part, peers_set = narrow(virtual, subnets), sets[virtual.at.address.version]
            if part is not None and peers_set:
                yield peers_set, part


def _format_set(subnets: set[Subnet], version: int) -> str:
    """Returns the subnets of one IP version, several as a set; "" if there are none."""
    # nft refuses a set of which some members overlap.
    of_four = [each for each in subnets if isinstance(each, ipaddress.IPv4Network)]
    of_six = [each for each in subnets if isinstance(each, ipaddress.IPv6Network)]
    apart: list[Subnet] = [
        *(ipaddress.collapse_addresses(of_four) if version == 4 else ()),
        *(ipaddress.collapse_addresses(of_six) if version == 6 else ()),
    ]
    texts = ", ".join(map(str, apart))
    return texts if len(apart) < 2 else f"{{ {texts} }}"


def _find_family(virtual: VirtualAddress) -> str:
    return "ip" if virtual.at.address.version == 4 else "ip6"


def _format_match(peers: str, virtual: VirtualAddress) -> str:
    family = _find_family(virtual)
    match = f"{family} saddr {peers} {family} daddr {virtual.at.address}"
    if virtual.at.port is None:
        return match
    return f"{match} {virtual.protocol} dport {virtual.at.port}"


def _format_to(virtual: VirtualAddress) -> str:
    """Returns where a connection goes: the members by number, and the hash that chooses one."""
    key = f"{_find_family(virtual)} saddr"
    if virtual.at.port is not None:
        key += f" . {virtual.protocol} sport"
    members = ", ".join(
        f"{number} : {each.address}" + (f" . {each.port}" if each.port is not None else "")
        for number, each in enumerate(virtual.members)
    )
    return f"jhash {key} mod {len(virtual.members)} seed 0x1 map {{ {members} }}"
