"""Virtual addresses of OVN's load balancers, as their rows write them (ovn-nb(5), Load_Balancer).

Pure.  Anybody may have written there: what is not as OVN reads it is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from .addresses import Address, parse_address
from .errors import ConfigError
from .numbers import parse_number

PROTOCOLS = ("tcp", "udp", "sctp")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address, and a port of it; without one it stands for the whole address."""

    address: Address
    port: int | None = None

    def __str__(self) -> str:
        """Returns it as OVN writes it; of IPv6 the address is in brackets before a port."""
        if self.port is None:
            return str(self.address)
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{host}:{self.port}"

    @property
    def rank(self) -> tuple[int, int, int]:
        """Its place among others."""
        return self.address.version, int(self.address), self.port or 0


@dataclass(frozen=True, slots=True)
class VirtualAddress:
    """An address at which several members are reached; without a port, by every protocol."""

    at: Endpoint
    protocol: str | None
    members: tuple[Endpoint, ...]

    @property
    def rank(self) -> tuple[int, int, int, str]:
        """Its place among others; no two of a container have the same."""
        return (*self.at.rank, self.protocol or "")


def parse_endpoint(text: str) -> Endpoint | None:
    """Returns the endpoint in "ADDRESS" or "ADDRESS:PORT", None if that is none."""
    host, port = text, None
    if text.startswith("["):
        host, _, port = text[1:].partition("]:")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    number = parse_number(port, 1, 65535) if port is not None else None
    if port is not None and number is None:
        return None
    try:
        address = parse_address(host)
    except ConfigError:
        return None
    if text.startswith("[") and address.version != 6:
        return None
    return Endpoint(address, number)


def parse_vips(
    vips: Mapping[str, str], protocol: str | None, is_wanted: Callable[[Address], bool]
) -> Iterator[VirtualAddress]:
    """Yields the virtual addresses of a row that are wanted.

    The members of others are not looked at.  Without a protocol it is TCP.
    """
    for text, members in vips.items():
        at = parse_endpoint(text)
        if at is None or not is_wanted(at.address):
            continue
        if at.port is None:
            yield VirtualAddress(at, None, _parse_members(at, members))
        elif (protocol or PROTOCOLS[0]) in PROTOCOLS:
            yield VirtualAddress(at, protocol or PROTOCOLS[0], _parse_members(at, members))


def _parse_members(at: Endpoint, texts: str) -> tuple[Endpoint, ...]:
    """Returns the members that have a port if 'at' has one, and none if not."""
    found = {parse_endpoint(text.strip()) for text in texts.split(",")}
    fitting = {
        each
        for each in found
        if each is not None
        and each.address.version == at.address.version
        and (each.port is None) == (at.port is None)
    }
    return tuple(sorted(fitting, key=lambda each: each.rank))
