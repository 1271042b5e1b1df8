"""How long a packet may be that goes through a tunnel.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

# IPv4, UDP and ESP headers, AES-CBC's vector and padding, SHA-512's check value.
OVERHEAD_BYTES = 100
_IPV6_EXTRA_BYTES = 20
_LEAST_MTU = 68
_IP_AND_TCP_BYTES = {4: 40, 6: 60}


def find_inner_mtu(port_mtu: int, outer_addresses: Iterable[str]) -> int:
    """Returns the size of the largest packet that fits into a port inside ESP."""
    is_ipv6 = any(ip_address(each).version == 6 for each in outer_addresses)
    return port_mtu - OVERHEAD_BYTES - (_IPV6_EXTRA_BYTES if is_ipv6 else 0)


def find_segment(inner_mtu: int, version: int) -> int:
    """Returns the size of the largest TCP segment in such a packet of an IP version."""
    return max(inner_mtu, _LEAST_MTU + _IP_AND_TCP_BYTES[4]) - _IP_AND_TCP_BYTES[version]
