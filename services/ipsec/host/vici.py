"""A connection to charon's vici socket that never blocks.

Framing and encoding are those of the PyPI package vici; its Session would wait
for each answer.  Requests are answered in order.  Events that a request
streams (list-sas, list-conns) are collected and handed over with its answer;
other events go to 'on_event'.
"""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import ovs.poller
from vici.protocol import Message, Packet

from .names import Names

TIMEOUT_MS = 3000

_HEADER = struct.Struct("!I")
MAX_PACKET_BYTES = 512 * 1024


class Disconnected(Exception):
    """charon closed the connection, or did not answer in time."""


@dataclass(slots=True)
class Reply:
    """The answer to a request; 'error' is None if charon did what was asked."""

    message: Mapping[str, Any] = field(default_factory=dict)
    events: list[Mapping[str, Any]] = field(default_factory=list)
    error: str | None = None


OnReply = Callable[[Reply], None]
OnEvent = Callable[[str, Mapping[str, Any]], None]


@dataclass(slots=True)
class _Request:
    stream: str | None
    on_reply: OnReply
    events: list[Mapping[str, Any]] = field(default_factory=list)


class Channel:
    """A connection; run() raises Disconnected when it is of no more use."""

    def __init__(self, path: str, on_event: OnEvent, names: Names | None = None) -> None:
        """Connects at once or raises OSError; 'names' has those that charon's log is to have."""
        self._names = names or Names()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise
        self._on_event = on_event
        self._requests: deque[_Request] = deque()
        self._received = bytearray()
        self._unsent = bytearray()
        self._deadline_ms = 0

    @property
    def idle(self) -> bool:
        """Whether charon has answered everything."""
        return not self._requests

    def register(self, event: str, now_ms: int) -> None:
        """Asks for the events named 'event' from now on."""
        self._enqueue(Packet.register_event(event), None, _ignore, now_ms)

    def request(
        self,
        command: str,
        message: Mapping[str, Any] | None,
        on_reply: OnReply,
        now_ms: int,
        stream: str | None = None,
    ) -> None:
        """Sends 'command'; 'stream' is the event, registered before, that it streams."""
        named = self._names.to_charon(command, message)
        encoded = Message.serialize(dict(named)) if named is not None else None
        self._enqueue(Packet.request(command, encoded), stream, on_reply, now_ms)

    def run(self, now_ms: int) -> None:
        """Sends and receives what can be now, and calls whom it concerns."""
        self.send()
        try:
            while self._fill():
                pass
        except OSError as error:
            raise Disconnected(str(error)) from error
        while packet := self._take_packet():
            self._dispatch(packet, now_ms)
        if self._requests and now_ms > self._deadline_ms:
            raise Disconnected(f"charon did not answer for {TIMEOUT_MS} ms")

    def send(self) -> None:
        """Sends what can be now, and receives nothing: an answer is run()'s to take."""
        try:
            self._flush()
        except OSError as error:
            raise Disconnected(str(error)) from error

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for what run() waits for."""
        events = ovs.poller.POLLIN | (ovs.poller.POLLOUT if self._unsent else 0)
        poller.fd_wait(self._socket.fileno(), events)
        if self._requests:
            poller.timer_wait(max(0, self._deadline_ms - now_ms) + 1)

    def close(self) -> None:
        """Closes the connection; no more callback is called."""
        self._requests.clear()
        self._socket.close()

    def _enqueue(self, packet: bytes, stream: str | None, on_reply: OnReply, now_ms: int) -> None:
        if not self._requests:
            self._deadline_ms = now_ms + TIMEOUT_MS
        self._requests.append(_Request(stream, on_reply))
        self._unsent += _HEADER.pack(len(packet)) + packet

    def _flush(self) -> None:
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent)
            except BlockingIOError:
                return
            del self._unsent[:sent]

    def _fill(self) -> bool:
        """Receives once; returns whether there may be more."""
        try:
            chunk = self._socket.recv(1 << 16)
        except BlockingIOError:
            return False
        if not chunk:
            raise Disconnected("charon closed the connection")
        self._received += chunk
        return True

    def _take_packet(self) -> bytes | None:
        if len(self._received) < _HEADER.size:
            return None
        (length,) = _HEADER.unpack_from(self._received)
        if length > MAX_PACKET_BYTES:
            raise Disconnected("charon sent something that is not vici")
        end = _HEADER.size + length
        if len(self._received) < end:
            return None
        packet = bytes(self._received[_HEADER.size : end])
        del self._received[:end]
        return packet

    def _dispatch(self, packet: bytes, now_ms: int) -> None:
        parsed = Packet.parse(packet)
        if parsed.response_type == Packet.EVENT:
            self._take_event(
                parsed.event_type.decode(), Message.deserialize(parsed.payload), now_ms
            )
        elif self._requests:
            # A thousand requests may take long; each answer says that charon is at it.
            self._deadline_ms = now_ms + TIMEOUT_MS
            request = self._requests.popleft()
            request.on_reply(_parse_reply(parsed, request))

    def _take_event(self, name: str, named: Mapping[str, Any], now_ms: int) -> None:
        message = self._names.from_charon(name, named)
        if self._requests and self._requests[0].stream == name:
            self._deadline_ms = now_ms + TIMEOUT_MS
            self._requests[0].events.append(message)
        else:
            self._on_event(name, message)


def can_be_sent(message: Mapping[str, Any]) -> bool:
    """Returns whether a message has nothing that is longer than vici's numbers can say."""
    size = find_size(message)
    return size is not None and size < MAX_PACKET_BYTES


def find_size(message: Mapping[str, Any]) -> int | None:
    """Returns how many bytes a message has; None if vici cannot say one of its parts.

    Sections are written one after the other, so that sizes add up.
    """
    try:
        return len(Message.serialize(dict(message)))
    except (struct.error, ValueError):
        return None


def text(value: Any) -> str:
    """Returns a value of a vici message as text."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")


def _parse_reply(parsed: Any, request: _Request) -> Reply:
    if parsed.response_type == Packet.EVENT_CONFIRM:
        return Reply()
    if parsed.response_type != Packet.CMD_RESPONSE:
        return Reply(error="charon does not know the command")
    message = Message.deserialize(parsed.payload)
    failed = "success" in message and message["success"] != b"yes"
    error = text(message.get("errmsg")) or "refused" if failed else None
    return Reply(message, request.events, error)


def _ignore(_reply: Reply) -> None:
    pass
