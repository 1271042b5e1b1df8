"""ICMP echo (RFC 792, RFC 4443) to other hosts, without waiting for the answers.

A raw socket for each family, made when it is first needed; it hands us every echo reply that comes
to the host, so an answer counts when identifier, sequence, source and content are of a request.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

import ovs.poller
import ovs.vlog

vlog = ovs.vlog.Vlog("echo")

_HEADER = struct.Struct("!BBHHH")
_REMEMBERED = 256
_RECEIVED_AT_ONCE = 512
_SOL_RAW = 255  # raw(7)
_ICMP_FILTER = 1  # linux/icmp.h
# Not to divide a packet, whatever is known of the path (ip(7), ipv6(7)); not in module socket.
_MTU_DISCOVER = {4: (socket.IPPROTO_IP, 10, 3), 6: (socket.IPPROTO_IPV6, 23, 3)}
_ICMP6_FILTER = 1  # linux/icmpv6.h


@dataclass(frozen=True, slots=True)
class _Family:
    """An address family's numbers: protocol, type of a request and of a reply."""

    number: socket.AddressFamily
    protocol: int
    request: int
    reply: int


_FAMILIES = {
    4: _Family(socket.AF_INET, socket.IPPROTO_ICMP, 8, 0),
    6: _Family(socket.AF_INET6, socket.IPPROTO_ICMPV6, 128, 129),
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What an echo reply says."""

    identifier: int
    sequence: int
    content: bytes


def make_request(version: int, identifier: int, sequence: int, content: bytes) -> bytes:
    """Returns an echo request of IP 'version'; the kernel adds the checksum of version 6."""
    kind = _FAMILIES[version].request
    bare = _HEADER.pack(kind, 0, 0, identifier, sequence) + content
    checksum = find_checksum(bare) if version == 4 else 0
    return _HEADER.pack(kind, 0, checksum, identifier, sequence) + content


def parse_reply(version: int, packet: bytes) -> Reply | None:
    """Returns the reply in what a raw socket received; None if it is none.

    A socket of version 4 hands out the IP header too.
    """
    begin = (packet[0] & 15) * 4 if version == 4 and packet else 0
    if len(packet) < begin + _HEADER.size:
        return None
    kind, code, _, identifier, sequence = _HEADER.unpack_from(packet, begin)
    if (kind, code) != (_FAMILIES[version].reply, 0):
        return None
    return Reply(identifier, sequence, packet[begin + _HEADER.size :])


def find_checksum(content: bytes) -> int:
    """Returns the Internet checksum (RFC 1071)."""
    even = content + b"\0" * (len(content) % 2)
    total: int = sum(struct.unpack(f"!{len(even) // 2}H", even))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Echo:
    """Requests of this process, told from those of others by a random identifier and content."""

    def __init__(self) -> None:
        self._sockets: dict[int, socket.socket | None] = {}
        self._identifier = int.from_bytes(os.urandom(2))
        self._content = os.urandom(16)
        self._sequence = 0
        self._asked: OrderedDict[int, tuple[str, int]] = OrderedDict()

    def send_echoes(self, addresses: Collection[str], length: int = 0) -> set[str]:
        """Asks each of 'addresses'; one that cannot be reached does not answer.

        The content has 'length' bytes, or as few as tell it from others'.  No request
        is divided on its way; those that are too long for a link of this host are
        returned.
        """
        refused = set()
        for address in addresses:
            version = ipaddress.ip_address(address).version
            link = self._open(version)
            if link is None:
                continue
            self._sequence = (self._sequence + 1) & 0xFFFF
            self._asked[self._sequence] = address, length
            while len(self._asked) > _REMEMBERED:
                self._asked.popitem(last=False)
            content = self._content.ljust(length, b"\0")
            request = make_request(version, self._identifier, self._sequence, content)
            try:
                link.sendto(request, (address, 0))
            except OSError as error:
                if error.errno == errno.EMSGSIZE:
                    refused.add(address)
        return refused

    def take_answers(self) -> set[tuple[str, int]]:
        """Returns the addresses that answered since the last call, and the lengths asked for."""
        answered = set()
        for version, link in self._sockets.items():
            for _ in range(_RECEIVED_AT_ONCE if link is not None else 0):
                assert link is not None
                try:
                    packet, source = link.recvfrom(1 << 16)
                except BlockingIOError:
                    break
                except OSError:  # an ICMP error on what was sent
                    continue
                reply = parse_reply(version, packet)
                if reply is not None and self._is_answer(reply, source[0]):
                    answered.add(self._asked.pop(reply.sequence))
        return answered

    def wait_answers(self, poller: ovs.poller.Poller) -> None:
        """Arms 'poller' for answers."""
        for link in self._sockets.values():
            if link is not None:
                poller.fd_wait(link.fileno(), ovs.poller.POLLIN)

    def close(self) -> None:
        """Closes the sockets."""
        for link in self._sockets.values():
            if link is not None:
                link.close()
        self._sockets.clear()

    def _is_answer(self, reply: Reply, source: str) -> bool:
        asked = self._asked.get(reply.sequence)
        if asked is None or reply.identifier != self._identifier:
            return False
        address, length = asked
        return reply.content == self._content.ljust(length, b"\0") and _is_same(address, source)

    def _open(self, version: int) -> socket.socket | None:
        if version not in self._sockets:
            try:
                self._sockets[version] = _make_socket(version)
            except OSError as error:
                self._sockets[version] = None
                vlog.warn(f"no echo of IPv{version} can be asked for: {error}")
        return self._sockets[version]


def _is_same(address: str, source: str) -> bool:
    return ipaddress.ip_address(address) == ipaddress.ip_address(source)


def _make_socket(version: int) -> socket.socket:
    """Returns a socket that never blocks and receives nothing but echo replies."""
    family = _FAMILIES[version]
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    link = socket.socket(family.number, kind, family.protocol)
    link.setsockopt(*_MTU_DISCOVER[version])
    if family.number == socket.AF_INET:
        unwanted = struct.pack("=I", ~(1 << family.reply) & 0xFFFFFFFF)
        link.setsockopt(_SOL_RAW, _ICMP_FILTER, unwanted)
        return link
    words = [0xFFFFFFFF] * 8
    words[family.reply >> 5] &= ~(1 << (family.reply & 31)) & 0xFFFFFFFF
    link.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("=8I", *words))
    return link
