"""Driver of the veth pairs of a container, one for each of its ports.

The end outside of svc0 has the container's name, that of another port a name
made of both (kinds.name_outside); it is what the Interface row in the local
Open_vSwitch names, and has 'ovnsvc:<container>' as its alias.  The userspace
datapath of Open vSwitch does not complete checksums that a veth leaves to
hardware, so both ends have that offload off where the bridge is of that kind.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from ...lib.errors import HostError
from ...services.api import FIRST_INTERFACE
from ..host.kinds import Link, Links, name_outside
from . import netns

INSIDE = FIRST_INTERFACE
ALIAS = "ovnsvc:"

_SIOCETHTOOL = 0x8946
_ETHTOOL_GTXCSUM = 0x16
_ETHTOOL_STXCSUM = 0x17


class VethDriver:
    """Veth pairs whose outer end carries our alias."""

    def __init__(self) -> None:
        # Names outside by container, as far as they were seen.
        self._outside: dict[str, set[str]] = {}

    def owned(self) -> set[str]:
        self._outside = {}
        with opened() as route:
            for each in route.get_links():
                alias = each.get_attr("IFLA_IFALIAS") or ""
                if alias.startswith(ALIAS):
                    self._note(alias.removeprefix(ALIAS), str(each.get_attr("IFLA_IFNAME")))
        return set(self._outside)

    def owns(self, container: str) -> bool:
        with opened() as route:
            return bool(self._find_ours(route, container))

    def read(self, container: str) -> Links | None:
        """Returns None also if an end is not where it should be.

        A link that is half as it should be is there with no MAC.
        """
        if netns.find_inode(container) is None:
            return None
        with netns.entered(container):
            with opened() as route:
                inside = {str(each.get_attr("IFLA_IFNAME")): each for each in find_veths(route)}
            offloads = {name: _read_offload(name) for name in inside}
        found = []
        with opened() as route:
            for name, link in sorted(inside.items()):
                outside = find_link(route, name_outside(container, name))
                if outside is not None and _is_pair(outside, link):
                    self._note(container, name_outside(container, name))
                    found.append(_read_pair(container, outside, link, offloads[name]))
            found.extend(self._find_halves(route, container, {each.outside for each in found}))
        return Links(tuple(found)) if found else None

    def apply(self, container: str, wanted: Links) -> None:
        try:
            self._drop_others(container, {each.outside for each in wanted.links})
            for link in wanted.links:
                self._apply(container, link)
        except (NetlinkError, OSError) as error:
            reason = describe_refusal(error)
            raise HostError(f"the links of {container} cannot be made: {reason}") from error

    def remove(self, container: str) -> bool:
        self._drop_others(container, set())
        self._outside.pop(container, None)
        return True

    def set_up(self, container: str, up: bool) -> None:
        with opened() as route:
            for each in self._find_ours(route, container):
                route.link("set", index=each["index"], state="up" if up else "down")

    # -- helpers -----------------------------------------------------------

    def _note(self, container: str, outside: str) -> None:
        self._outside.setdefault(container, set()).add(outside)

    def _find_ours(self, route: Any, container: str) -> list[Any]:
        """Returns the ends outside that carry our alias."""
        names = self._outside.get(container, set()) | {container}
        found = (find_link(route, name) for name in sorted(names))
        alias = ALIAS + container
        links = (each for each in found if each is not None)
        return [each for each in links if each.get_attr("IFLA_IFALIAS") == alias]

    def _find_halves(self, route: Any, container: str, known: set[str]) -> Iterator[Link]:
        """Yields what is there outside without its end inside."""
        for each in self._find_ours(route, container):
            name = str(each.get_attr("IFLA_IFNAME"))
            if name not in known:
                yield Link("", name, "", 0, False, is_up(each))

    def _drop_others(self, container: str, names: set[str]) -> None:
        """Removes the links of 'container' but those of these 'names' outside."""
        with opened() as route:
            for each in self._find_ours(route, container):
                if each.get_attr("IFLA_IFNAME") not in names:
                    with suppress(NetlinkError):
                        route.link("del", index=each["index"])
            if not names:  # one whose maker died before it got its alias
                found = find_link(route, container)
                if found is not None and _is_ours(found, container):
                    with suppress(NetlinkError):
                        route.link("del", index=found["index"])

    def _apply(self, container: str, wanted: Link) -> None:
        with opened() as route:
            outside = find_link(route, wanted.outside)
            if outside is not None and not wanted.up and _is_ours(outside, container):
                # Before anything that can fail.
                route.link("set", index=outside["index"], state="down")
            if outside is not None:
                _drop_broken(route, outside, container, wanted)
                outside = find_link(route, wanted.outside)
            if outside is None:
                _create_pair(route, container, wanted)
                outside = find_link(route, wanted.outside)
            if outside is None:
                raise HostError(f"the link {wanted.outside} went while it was made")
            self._note(container, wanted.outside)
            route.link(
                "set",
                index=outside["index"],
                ifalias=ALIAS + container,
                mtu=wanted.mtu,
                state="up" if wanted.up else "down",
            )
        _write_offload(wanted.outside, wanted.offload)
        with netns.entered(container):
            _apply_inside(container, wanted)


def _apply_inside(container: str, wanted: Link) -> None:
    with opened() as route:
        inside = find_link(route, wanted.inside)
        if inside is None:
            raise HostError(f"{wanted.inside} is missing in namespace {container}")
        if inside.get_attr("IFLA_ADDRESS") != wanted.mac:
            route.link("set", index=inside["index"], address=wanted.mac)
        route.link("set", index=inside["index"], mtu=wanted.mtu, state="up")
    _write_offload(wanted.inside, wanted.offload)


def _drop_broken(route: Any, outside: Any, container: str, wanted: Link) -> None:
    """Removes a pair whose inner end is not in the namespace (any more)."""
    if not _is_ours(outside, container):
        raise HostError(f"an interface {wanted.outside} is there that is not ours")
    with netns.entered(container), opened() as inner:
        inside = find_link(inner, wanted.inside)
        if inside is not None and _is_pair(outside, inside):
            return
    route.link("del", index=outside["index"])


def find_veths(route: Any) -> list[Any]:
    """Returns the veths of the namespace that the thread is in."""
    return [each for each in route.get_links() if _find_kind(each) == "veth"]


def _find_kind(link: Any) -> str | None:
    attributes = link.get_attr("IFLA_LINKINFO")
    return attributes.get_attr("IFLA_INFO_KIND") if attributes else None


def _is_pair(outside: Any, inside: Any) -> bool:
    """Returns whether two links are the ends of one veth pair, each seen from its namespace."""
    peers = inside.get_attr("IFLA_LINK"), outside.get_attr("IFLA_LINK")
    return peers == (outside["index"], inside["index"])


def _read_pair(container: str, outside: Any, inside: Any, offload: bool) -> Link:
    names = str(inside.get_attr("IFLA_IFNAME")), str(outside.get_attr("IFLA_IFNAME"))
    mtu = int(inside.get_attr("IFLA_MTU"))
    whole = (
        outside.get_attr("IFLA_IFALIAS") == ALIAS + container
        and int(outside.get_attr("IFLA_MTU")) == mtu
        and _read_offload(names[1]) == offload
        and is_up(inside)
    )
    mac = str(inside.get_attr("IFLA_ADDRESS")) if whole else ""
    return Link(*names, mac, mtu, offload, is_up(outside))


@contextmanager
def opened() -> Iterator[Any]:
    """Is a netlink socket of the namespace that the thread is in."""
    route = IPRoute()
    try:
        yield route
    except NetlinkError as error:
        raise HostError(f"the kernel refused: {describe_refusal(error)}") from error
    finally:
        route.close()


def describe_refusal(error: NetlinkError | OSError) -> str:
    """Returns in words what the kernel refused a request for."""
    if isinstance(error, NetlinkError) and error.code:
        return os.strerror(error.code)
    return str(error)


@contextmanager
def ignored_if_gone() -> Iterator[None]:
    """Lets a request fail whose link went meanwhile."""
    try:
        yield
    except NetlinkError as error:
        if error.code != errno.ENODEV:
            raise


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
    """Returns whether 'link' carries our alias, or lost its maker before it got one.

    What we make has its other end in the container's namespace from the start.
    """
    alias = link.get_attr("IFLA_IFALIAS") or ""
    if _find_kind(link) != "veth":
        return False
    if alias:
        return bool(alias == ALIAS + container)
    if netns.find_inode(container) is None:
        return False
    with netns.entered(container), opened() as inner:
        return any(_is_pair(link, each) for each in find_veths(inner))


def _create_pair(route: Any, container: str, wanted: Link) -> None:
    with open(netns.find_path(container), "rb") as namespace:
        peer = {
            "ifname": wanted.inside,
            "address": wanted.mac,
            "mtu": wanted.mtu,
            "net_ns_fd": namespace.fileno(),
        }
        route.link("add", ifname=wanted.outside, kind="veth", mtu=wanted.mtu, peer=peer)


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
