"""Driver of the veth pair of a container.

The end outside has the container's name, which is what the Interface row in
the local Open_vSwitch names, and 'ovnsvc:<container>' as its alias; the end
inside is 'svc0'.  The userspace datapath of Open vSwitch does not complete
checksums that a veth leaves to hardware, so both ends have that offload off
where the bridge is of that kind.
"""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from ...lib.errors import HostError
from ..order import Link
from . import netns

INSIDE = "svc0"
ALIAS = "ovnsvc:"

_SIOCETHTOOL = 0x8946
_ETHTOOL_GTXCSUM = 0x16
_ETHTOOL_STXCSUM = 0x17
_UNLIKE_ANY = Link("", 0, False)


class LinkDriver:
    """Veth pairs whose outer end carries our alias."""

    def owned(self) -> set[str]:
        with opened() as route:
            aliases = [each.get_attr("IFLA_IFALIAS") or "" for each in route.get_links()]
        return {alias.removeprefix(ALIAS) for alias in aliases if alias.startswith(ALIAS)}

    def read(self, container: str) -> Link | None:
        """Returns None also for a pair of which an end is not where it should be."""
        with opened() as route:
            outside = find_link(route, container)
        if outside is None or netns.find_inode(container) is None:
            return None
        with netns.entered(container):
            with opened() as route:
                inside = find_link(route, INSIDE)
            if inside is None:
                return None
            offload = _read_offload(INSIDE)
        mac = str(inside.get_attr("IFLA_ADDRESS"))
        mtu = int(inside.get_attr("IFLA_MTU"))
        whole = (
            outside.get_attr("IFLA_IFALIAS") == ALIAS + container
            and int(outside.get_attr("IFLA_MTU")) == mtu
            and _read_offload(container) == offload
        )
        up = is_up(outside)
        found = Link(mac, mtu, offload, up) if whole and is_up(inside) else _UNLIKE_ANY
        return replace(found, up=up)

    def apply(self, container: str, wanted: Link) -> None:
        try:
            self._apply(container, wanted)
        except (NetlinkError, OSError) as error:
            raise HostError(f"the link {container} cannot be made: {error}") from error

    def remove(self, container: str) -> bool:
        with opened() as route:
            found = find_link(route, container)
            if found is not None and _is_ours(found, container):
                with suppress(NetlinkError):
                    route.link("del", index=found["index"])
        return True

    def _apply(self, container: str, wanted: Link) -> None:
        with opened() as route:
            outside = find_link(route, container)
            if outside is not None and not wanted.up and _is_ours(outside, container):
                # Before anything that can fail.
                route.link("set", index=outside["index"], state="down")
            if outside is not None:
                self._drop_broken(route, outside, container)
                outside = find_link(route, container)
            if outside is None:
                _create_pair(route, container, wanted)
                outside = find_link(route, container)
            if outside is None:
                raise HostError(f"the link of {container} went while it was made")
            route.link(
                "set",
                index=outside["index"],
                ifalias=ALIAS + container,
                mtu=wanted.mtu,
                state="up" if wanted.up else "down",
            )
        _write_offload(container, wanted.offload)
        with netns.entered(container):
            with opened() as route:
                inside = find_link(route, INSIDE)
                if inside is None:
                    raise HostError(f"{INSIDE} is missing in namespace {container}")
                if inside.get_attr("IFLA_ADDRESS") != wanted.mac:
                    route.link("set", index=inside["index"], address=wanted.mac)
                route.link("set", index=inside["index"], mtu=wanted.mtu, state="up")
            _write_offload(INSIDE, wanted.offload)

    def _drop_broken(self, route: Any, outside: Any, container: str) -> None:
        """Removes a pair whose inner end is not in the namespace (any more)."""
        if not _is_ours(outside, container):
            raise HostError(f"an interface {container} is there that is not ours")
        with netns.entered(container), opened() as inner:
            if find_link(inner, INSIDE) is not None:
                return
        route.link("del", index=outside["index"])


@contextmanager
def opened() -> Iterator[Any]:
    """Is a netlink socket of the namespace that the thread is in."""
    route = IPRoute()
    try:
        yield route
    except NetlinkError as error:
        raise HostError(f"netlink: {error}") from error
    finally:
        route.close()


def find_link(route: Any, name: str) -> Any | None:
    """Returns the link 'name', or None."""
    try:
        found = route.link("get", ifname=name)
    except NetlinkError:
        return None
    return found[0] if found else None


def is_up(link: Any) -> bool:
    """Returns whether 'link' is administratively up."""
    return bool(link["flags"] & 1)


def _is_ours(link: Any, container: str) -> bool:
    """Returns whether 'link' carries our alias, or lost its maker before it got one."""
    attributes = link.get_attr("IFLA_LINKINFO")
    kind = attributes.get_attr("IFLA_INFO_KIND") if attributes else None
    return kind == "veth" and link.get_attr("IFLA_IFALIAS") in (None, "", ALIAS + container)


def _create_pair(route: Any, container: str, wanted: Link) -> None:
    with open(netns.find_path(container), "rb") as namespace:
        peer = {
            "ifname": INSIDE,
            "address": wanted.mac,
            "mtu": wanted.mtu,
            "net_ns_fd": namespace.fileno(),
        }
        route.link("add", ifname=container, kind="veth", mtu=wanted.mtu, peer=peer)


def _read_offload(name: str) -> bool:
    return bool(_ethtool(name, _ETHTOOL_GTXCSUM, 0))


def _write_offload(name: str, offload: bool) -> None:
    _ethtool(name, _ETHTOOL_STXCSUM, int(offload))


def _ethtool(name: str, command: int, value: int) -> int:
    """Returns the value of 'struct ethtool_value' after an SIOCETHTOOL (ethtool.h)."""
    buffer = bytearray(struct.pack("II", command, value))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        # struct ifreq holds the address of the buffer.
        address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
        request = struct.pack("16sP", name.encode(), address) + bytes(16)
        fcntl.ioctl(control, _SIOCETHTOOL, request)
    return int(struct.unpack("II", buffer)[1])
