"""Tells when something of a container may have gone from the kernel.

Links by netlink's notifications, namespaces by the time of the last change of
their directory, which costs one stat(2).  Neither says what happened: the
caller looks.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterable

import ovs.poller

from . import netns

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
        self._namespaces_ns = netns.find_change_ns()

    def take_lost(self, containers: Iterable[str]) -> set[str]:
        """Returns those of 'containers' whose link or namespace is gone since the last call."""
        lost: set[str] = set()
        if self._take_link_removal():
            lost |= {name for name in containers if not _has_link(name)}
        changed_ns = netns.find_change_ns()
        if changed_ns != self._namespaces_ns:
            self._namespaces_ns = changed_ns
            lost |= {name for name in containers if netns.find_inode(name) is None}
        return lost

    def wait(self, poller: ovs.poller.Poller) -> None:
        """Arms 'poller' for changes of links."""
        poller.fd_wait(self._socket.fileno(), ovs.poller.POLLIN)

    def close(self) -> None:
        """Stops watching."""
        self._socket.close()

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
