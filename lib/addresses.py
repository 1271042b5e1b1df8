"""Addresses and subnets as people write them: parse them, or say what is wrong.

Pure.  The columns of the northbound are text, so svcctl checks what it is
given and svc-northd what it finds, with these same functions and sentences.
A parse_ function raises ConfigError with a sentence that quotes the text.
"""

from __future__ import annotations

import functools
import ipaddress
import socket
from collections.abc import Iterable, Iterator

from .errors import ConfigError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network
Prefix = tuple[int, int, int]
"""IP version, length, and the bits of the prefix."""

_NETWORKS = (ipaddress.IPv4Network, ipaddress.IPv6Network)
# What begins with another octet than these is of no special kind.
_SPECIAL_OCTETS = frozenset((0, 127, 169, *range(224, 240), 255))

# One row's few texts are read a dozen times in a row, by rule after rule; parsing is most of that.
_LATELY = 1024


def read_address(text: str) -> Address:
    """As ipaddress.ip_address(), in less than half the time for one of IPv4."""
    try:
        return ipaddress.IPv4Address(socket.inet_pton(socket.AF_INET, text))
    except (OSError, ValueError):
        return ipaddress.ip_address(text)


def read_network(text: str, *, strict: bool = True) -> Subnet:
    """As ipaddress.ip_network(), in less than half the time for one of IPv4."""
    address, _, length = text.partition("/")
    if length.isascii() and length.isdigit() and len(length) <= 2:
        try:
            packed = socket.inet_pton(socket.AF_INET, address)
            return ipaddress.IPv4Network((packed, int(length)), strict)
        except (OSError, ValueError):
            pass  # it is none of IPv4, or none at all, which ipaddress says
    return ipaddress.ip_network(text, strict=strict)


@functools.lru_cache(_LATELY)
def parse_address(text: str) -> Address:
    """Returns the host address in 'text'; one that no host can have is refused."""
    try:
        address = read_address(text)
    except ValueError:
        raise ConfigError(f"{quote(text)} is not an IP address") from None
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        raise ConfigError(f"{quote(text)} has a zone; an address without one is needed")
    kind = _find_special_kind(address)
    if kind is not None:
        raise ConfigError(f"{text} is {kind} and belongs to no host that can be reached")
    return address


def canonical_address(text: str) -> str:
    """Returns an address as it is compared, or the text if it is none."""
    # One of IPv4 can be written in one way only.
    return _canonical_v6(text) if ":" in text else text


@functools.lru_cache(_LATELY)
def _canonical_v6(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


@functools.lru_cache(_LATELY)
def parse_subnet(text: str) -> Subnet:
    """Returns the subnet in 'text', written as ADDRESS/LENGTH without host bits."""
    address_text, slash, length_text = text.partition("/")
    if not slash:
        raise ConfigError(f"{quote(text)} is not a subnet (as 192.168.1.0/24)")
    if not (length_text.isascii() and length_text.isdigit()) or "%" in address_text:
        raise ConfigError(f"{quote(text)} is not a subnet (as 192.168.1.0/24)")
    try:
        network = read_network(text)
    except ValueError:
        around = parse_network(text)
        if around is None:
            raise ConfigError(f"{quote(text)} is not a subnet (as 192.168.1.0/24)") from None
        raise ConfigError(f"{text} has host bits set; did you mean {around}?") from None
    kind = _find_special_kind(network)
    if kind is not None and network.prefixlen:
        raise ConfigError(f"{text} is {kind} and cannot be routed")
    return network


@functools.lru_cache(_LATELY)
def parse_network(text: str) -> Subnet | None:
    """Returns the network of "ADDRESS/LENGTH", None if that cannot be read."""
    try:
        return read_network(text, strict=False)
    except ValueError:
        return None


def find_overlap(first: Iterable[Subnet], second: Iterable[Subnet]) -> tuple[Subnet, Subnet] | None:
    """Returns a subnet of 'first' and one of 'second' that share addresses, if any do."""
    others = list(second)
    for one in first:
        for other in others:
            if overlap(one, other):
                return one, other
    return None


def find_inner_overlap(subnets: Iterable[Subnet]) -> tuple[Subnet, Subnet] | None:
    """Returns two members of 'subnets' that share addresses, if any do."""
    seen: list[Subnet] = []
    for subnet in subnets:
        found = find_overlap([subnet], seen)
        if found is not None:
            return found
        seen.append(subnet)
    return None


def overlap(one: Subnet, other: Subnet) -> bool:
    """Returns whether two subnets share addresses; those of two IP versions never do."""
    return one.network_address in other or other.network_address in one


def quote(text: str) -> str:
    """Returns 'text' as it can stand in a one-line message, whatever is in it."""
    shown = text if len(text) <= 64 else text[:61] + "..."
    plain = shown.isprintable() and not shown.isspace()
    return shown if shown and plain else ascii(shown).replace("'", '"')


def _find_special_kind(thing: Address | Subnet) -> str | None:
    """Returns in words why 'thing' cannot be on a routed network, if it cannot."""
    first = thing.network_address if isinstance(thing, _NETWORKS) else thing
    if first.version == 4 and first.packed[0] not in _SPECIAL_OCTETS:
        return None  # nearly always, and each further question is costly
    return _find_kind(thing)


def _find_kind(thing: Address | Subnet) -> str | None:
    if thing.is_unspecified:
        return "the unspecified address"
    if thing.is_loopback:
        return "a loopback address"
    if thing.is_multicast:
        return "a multicast address"
    if thing.is_link_local:
        return "a link-local address"
    if str(thing) in ("255.255.255.255", "255.255.255.255/32"):
        return "the broadcast address"
    return None


def find_prefixes(subnet: Subnet) -> Iterator[Prefix]:
    """Yields 'subnet' as a prefix, and then each shorter one that holds it."""
    bits = int(subnet.network_address) >> (subnet.max_prefixlen - subnet.prefixlen)
    for length in range(subnet.prefixlen, -1, -1):
        yield subnet.version, length, bits
        bits >>= 1
