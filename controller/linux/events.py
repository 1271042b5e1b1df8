"""Tells when something of a container may have gone from the kernel, and how the host is.

Links by netlink's notifications; namespaces by a look at their files once a
second, and at once when their directory changed, since no event tells of an
umount(2).  Neither says what happened: the caller looks.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Collection, Iterator, Mapping

import ovs.poller

from ...lib import dirs
from ...lib.disks import Disks
from ...lib.loop import monotonic_ms
from . import netns
from .data_path import DataPath
from .echo import Echo
from .load import LoadMeter

_LOOK_INTERVAL_MS = 1000
_RTMGRP_LINK = 1
_RTM_DELLINK = 17
_HEADER = struct.Struct("=IHHII")
_IFINFOMSG_SIZE = 16
_ATTRIBUTE = struct.Struct("=HH")
_IFLA_IFNAME = 3


class HostEvents:
    """Watches the namespace that svc-controller runs in."""

    def __init__(self) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC,
            socket.NETLINK_ROUTE,
        )
        self._socket.bind((0, _RTMGRP_LINK))
        self._namespaces_ns = 0
        self._inodes: dict[str, int] = {}
        self._look_at_ms = 0
        self._data_path = DataPath()
        self._load = LoadMeter()
        self._echo, self._probe = Echo(), Echo()
        self._disks = Disks((dirs.RUNDIR, dirs.LOGDIR, dirs.SYSCONFDIR))

    def take_lost(self, containers: Collection[str], links: Mapping[str, str]) -> set[str]:
        """Returns those of 'containers' whose link or namespace is gone since the last call.

        'links' are the containers by the names of their links outside.
        """
        removed = self._take_removed_links()
        if removed is None:
            lost = {name for link, name in links.items() if not _has_link(link)}
        else:
            lost = {links[each] for each in removed if each in links}
        return lost | self._find_lost_namespaces(containers)

    def find_ovn_problem(self, now_ms: int, look: bool, known: str, expected: bool) -> str:
        """Returns why OVN's part of this chassis does not work, as DataPath.find_problem."""
        return self._data_path.find_problem(now_ms, look, known, expected)

    def find_load(self, now_ms: int) -> dict[str, str]:
        """Returns the metrics of the host, as LoadMeter.read."""
        return self._load.read(now_ms)

    def send_echoes(self, addresses: Collection[str]) -> None:
        """Asks hosts for an echo, as Echo.send_echoes."""
        self._echo.send_echoes(addresses)

    def take_answers(self) -> set[str]:
        """Returns who answered, as Echo.take_answers."""
        return {address for address, _ in self._echo.take_answers()}

    def send_probes(self, addresses: Collection[str], length: int) -> set[str]:
        """Asks hosts for echoes of a length, as Echo.send_echoes."""
        return self._probe.send_echoes(addresses, length)

    def take_probe_answers(self) -> set[tuple[str, int]]:
        """Returns who answered that, as Echo.take_answers."""
        return self._probe.take_answers()

    def find_full_disks(self, now_ms: int) -> tuple[str, ...]:
        """Returns which file systems are full, as lib/disks.py."""
        return self._disks.find_full(now_ms)

    def wait_answers(self, poller: ovs.poller.Poller) -> None:
        """Arms 'poller' for answers."""
        self._echo.wait_answers(poller)

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for changes of links, and as DataPath.wait."""
        poller.fd_wait(self._socket.fileno(), ovs.poller.POLLIN)
        self._data_path.wait(poller, now_ms)

    def close(self) -> None:
        """Stops watching."""
        self._socket.close()
        self._data_path.close()
        self._echo.close()
        self._probe.close()

    def _find_lost_namespaces(self, containers: Collection[str]) -> set[str]:
        """Returns the containers whose namespace is gone, or another one than before."""
        changed_ns, now_ms = netns.find_change_ns(), monotonic_ms()
        if changed_ns == self._namespaces_ns and now_ms < self._look_at_ms:
            return set()
        self._namespaces_ns, self._look_at_ms = changed_ns, now_ms + _LOOK_INTERVAL_MS
        before, self._inodes = self._inodes, netns.find_inodes(containers)
        return {
            name
            for name in containers
            if name not in self._inodes
            or before.get(name, self._inodes[name]) != self._inodes[name]
        }

    def _take_removed_links(self) -> set[str] | None:
        """Returns the names of links that were removed; None if some of that was lost."""
        removed: set[str] = set()
        whole = True
        while True:
            try:
                received = self._socket.recv(1 << 16)
            except BlockingIOError:
                return removed if whole else None
            except OSError:  # ENOBUFS
                whole = False
                continue
            removed.update(_find_removed(received))


def _find_removed(received: bytes) -> Iterator[str]:
    """Yields the names of the links that netlink messages tell the removal of."""
    offset = 0
    while offset + _HEADER.size <= len(received):
        length, kind, *_ = _HEADER.unpack_from(received, offset)
        length = max(length, _HEADER.size)
        if kind == _RTM_DELLINK:
            name = _find_name(received[offset + _HEADER.size + _IFINFOMSG_SIZE : offset + length])
            if name is not None:
                yield name
        offset += (length + 3) & ~3


def _find_name(attributes: bytes) -> str | None:
    """Returns IFLA_IFNAME among the attributes of a link."""
    offset = 0
    while offset + _ATTRIBUTE.size <= len(attributes):
        length, kind = _ATTRIBUTE.unpack_from(attributes, offset)
        if kind == _IFLA_IFNAME:
            value = attributes[offset + _ATTRIBUTE.size : offset + length]
            return value.rstrip(b"\0").decode(errors="replace")
        offset += (max(length, _ATTRIBUTE.size) + 3) & ~3
    return None


def _has_link(name: str) -> bool:
    with contextlib.suppress(OSError):
        return socket.if_nametoindex(name) > 0
    return False
