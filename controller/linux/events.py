"""Tells when something of a container may have gone from the kernel, and how the host is.

Links by netlink's notifications; namespaces by a look at their files once a
second, and at once when their directory changed, since no event tells of an
umount(2).  Neither says what happened: the caller looks.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Collection

import ovs.poller

from ...lib.loop import monotonic_ms
from . import netns
from .echo import Echo
from .load import LoadMeter
from .ovn import OvnController

_LOOK_INTERVAL_MS = 1000
_RTMGRP_LINK = 1
_RTM_DELLINK = 17
_HEADER = struct.Struct("=IHHII")


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
        self._ovn = OvnController()
        self._load = LoadMeter()
        self._echo = Echo()

    def take_lost(self, containers: Collection[str]) -> set[str]:
        """Returns those of 'containers' whose link or namespace is gone since the last call."""
        lost: set[str] = set()
        if self._take_link_removal():
            lost |= {name for name in containers if not _has_link(name)}
        return lost | self._find_lost_namespaces(containers)

    def find_ovn_problem(self, now_ms: int, look: bool, known: bool, expected: bool) -> str:
        """Returns why OVN's part of this chassis does not work, as OvnController.find_problem."""
        return self._ovn.find_problem(now_ms, look, known, expected)

    def find_load(self, now_ms: int) -> dict[str, str]:
        """Returns the metrics of the host, as LoadMeter.read."""
        return self._load.read(now_ms)

    def send_echoes(self, addresses: Collection[str]) -> None:
        """Asks hosts for an echo, as Echo.send_echoes."""
        self._echo.send_echoes(addresses)

    def take_answers(self) -> set[str]:
        """Returns who answered, as Echo.take_answers."""
        return self._echo.take_answers()

    def wait_answers(self, poller: ovs.poller.Poller) -> None:
        """Arms 'poller' for answers."""
        self._echo.wait_answers(poller)

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for changes of links and the end of ovn-controller."""
        poller.fd_wait(self._socket.fileno(), ovs.poller.POLLIN)
        self._ovn.wait(poller, now_ms)

    def close(self) -> None:
        """Stops watching."""
        self._socket.close()
        self._ovn.close()
        self._echo.close()

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

    def _take_link_removal(self) -> bool:
        removed = False
        while True:
            try:
                received = self._socket.recv(1 << 16)
            except BlockingIOError:
                return removed
            except OSError:  # ENOBUFS: some were lost
                removed = True
                continue
            removed = removed or _holds_removal(received)


def _holds_removal(received: bytes) -> bool:
    offset = 0
    while offset + _HEADER.size <= len(received):
        length, kind, *_ = _HEADER.unpack_from(received, offset)
        if kind == _RTM_DELLINK:
            return True
        offset += max((length + 3) & ~3, _HEADER.size)
    return False


def _has_link(name: str) -> bool:
    with contextlib.suppress(OSError):
        return socket.if_nametoindex(name) > 0
    return False
