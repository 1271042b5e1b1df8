"""The stream of python-ovs for ssl: remotes, in place of its own.

That of python-ovs raises out of run() where a certificate or a file is wrong, so that the
session never gives the stream up; it spins at a server that does not answer the hello, and
has EPERM for every word of the server (3.1 and 4.0 were tried).  This one says what is
wrong (tls_words.py), once for each cause in the log, and as the trouble of a session
(trouble.py).  The keys are those of the process, and their files are read anew for each
connection, so that they may be replaced; connections that are open go on.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import ssl
from dataclasses import dataclass, field
from typing import Any, ClassVar

import ovs.poller
import ovs.socket_util
import ovs.stream
import ovs.vlog

from . import tls, tls_words
from .certificate import Certificate
from .characters import find_end
from .errors import HostError
from .tls import Keys
from .tls_attempt import Attempt

vlog = ovs.vlog.Vlog("tls_stream")


@dataclass(slots=True)
class _Process:
    """What all streams of the process share."""

    keys: Keys = field(default_factory=Keys)
    own: Certificate | None = None
    # Why the last attempt did not even begin.
    unopened: str = ""


_PROCESS = _Process()
# By remote what was told of it, until it answers; two sentences on one mistake may take turns.
_TOLD: dict[str, set[str]] = {}
_MOST_TOLD = 20


def register() -> None:
    """Makes python-ovs use this stream for ssl: remotes in this process."""
    ovs.stream.Stream.register_method("ssl", TlsStream)


def use(keys: Keys) -> None:
    """Sets the keys of each connection from here on."""
    before, _PROCESS.keys = _PROCESS.keys, keys
    if keys.files == before.files:
        return
    note = tls_words.find_certificate_note(keys)
    if note:
        vlog.warn(note)


def find_keys() -> Keys:
    """Returns the keys of the process; empty ones if there are none."""
    return _PROCESS.keys


def find_own_certificate() -> Certificate | None:
    """Returns the certificate that the last connection presented, or was to; None before it.

    Its 'name' is "CN NAME"; the server knows this process by it (RBAC).
    """
    return _PROCESS.own


def find_failure(session: Any) -> str:
    """Returns why the last attempt of a session of JSON-RPC came to nothing, where TLS knows.

    For when python-ovs tells that it did, while the session has the stream still.
    """
    stream = session.stream or (session.rpc.stream if session.rpc is not None else None)
    if stream is None:
        found, _PROCESS.unopened = _PROCESS.unopened, ""
        return found
    return stream.failure if isinstance(stream, TlsStream) else ""


def find_pending(session: Any) -> str:
    """Returns what the attempt of a session waits for, where that is the server's part of TLS."""
    stream = session.stream
    return tls_words.SILENT if isinstance(stream, TlsStream) and stream.greeted else ""


def tell(remote: str, sentence: str) -> None:
    """Logs what is wrong with a remote, once until it answers."""
    told = _TOLD.setdefault(remote, set())
    if sentence not in told and len(told) < _MOST_TOLD:
        told.add(sentence)
        vlog.warn(f"{remote}: {sentence}")


class TlsStream(ovs.stream.SSLStream):  # type: ignore[misc]
    """A stream over TLS; 'failure' is why it came to nothing, in a sentence."""

    _CONNECTED: ClassVar[int] = ovs.stream.Stream._Stream__S_CONNECTED

    def __init__(self, connection: ssl.SSLSocket, name: str, status: int) -> None:
        super().__init__(connection, name, status)
        self.failure = ""
        # Whether the hello is sent; whether TLS is agreed on; whether the server was heard since.
        self.greeted = False
        self._agreed = False
        self._heard = False
        # What the handshake, sending and receiving wait for.
        self._awaits = ovs.poller.POLLOUT
        self._send_awaits = ovs.poller.POLLOUT
        self._recv_awaits = ovs.poller.POLLIN
        # The first bytes of a character whose others are yet to come.
        self._rest = b""
        self._attempt: Attempt = connection.attempt  # type: ignore[attr-defined]

    @staticmethod
    def _open(suffix: str, dscp: int) -> tuple[int, ssl.SSLSocket | None]:
        _PROCESS.unopened = ""
        try:
            attempt = Attempt(_PROCESS.keys)
        except HostError as error:
            _PROCESS.unopened = str(error)
            return errno.EPROTO, None
        _PROCESS.own = attempt.own
        address = ovs.socket_util.inet_parse_active(suffix, 0)
        family, plain = ovs.socket_util.inet_create_socket_active(socket.SOCK_STREAM, address)
        if plain is None:
            return family, None
        try:
            connection = attempt.context.wrap_socket(plain, do_handshake_on_connect=False)
            connection.attempt = attempt  # type: ignore[attr-defined]
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            plain.close()
            return error.errno or errno.EPROTO, None
        failed = ovs.socket_util.inet_connect_active(connection, address, family, dscp)
        return failed, None if failed else connection

    @staticmethod
    def check_connection_completion(connection: socket.socket) -> int:
        """Returns 0 once TCP is connected, EAGAIN before, or why it cannot be."""
        poll = select.poll()
        poll.register(connection, select.POLLOUT)
        if not poll.poll(0):
            return errno.EAGAIN
        return connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def connect(self) -> int:
        """Goes on with TCP, and then with TLS; returns 0 once both are there, EAGAIN before."""
        if self.failure:
            return errno.EPROTO
        if self._agreed:
            return 0
        error: int = ovs.stream.Stream.connect(self)
        return error or self._shake_hands()

    def recv(self, size: int) -> tuple[int, bytes]:
        """Returns (0, some bytes), (0, b"") at the end, (EAGAIN, b"") or another error."""
        error = self.connect()
        if error:
            return error, b""
        self._recv_awaits = ovs.poller.POLLIN
        try:
            while True:
                received = self.socket.recv(size)
                if not received:
                    return self._end(None)
                self._note_heard()
                whole = self._hold_back(self._rest + received)
                if whole:
                    return 0, whole
        except ssl.SSLWantReadError:
            return errno.EAGAIN, b""
        except ssl.SSLWantWriteError:
            self._recv_awaits = ovs.poller.POLLOUT
            return errno.EAGAIN, b""
        except OSError as reason:
            return self._end(reason)

    def send(self, text: str | bytes) -> int:
        """Returns how many bytes were sent, or -EAGAIN or another error below 0."""
        error = self.connect()
        if error:
            return -error
        self._send_awaits = ovs.poller.POLLOUT
        rest = memoryview(text.encode() if isinstance(text, str) else text)
        sent = 0
        try:
            while sent < len(rest):
                # A record at a time is taken.
                sent += self.socket.send(rest[sent:])
        except ssl.SSLWantReadError:
            self._send_awaits = ovs.poller.POLLIN
        except ssl.SSLWantWriteError:
            pass
        except OSError as reason:
            # What the server said before is yet to be received, and says more than this.
            if not self._heard:
                self._send_awaits = ovs.poller.POLLIN
                return -errno.EAGAIN
            return -(reason.errno or errno.EPIPE)
        return sent or (-errno.EAGAIN if rest else 0)

    def wait(self, poller: ovs.poller.Poller, wait: int) -> None:
        """Arms 'poller' for connect(), recv() or send()."""
        if self.failure:
            poller.immediate_wake()
        elif not self._agreed:
            poller.fd_wait(self.socket, self._awaits)
        elif wait == self.W_SEND:
            poller.fd_wait(self.socket, self._send_awaits)
        elif self.socket.pending():
            poller.immediate_wake()
        else:
            poller.fd_wait(self.socket, self._recv_awaits)

    def close(self) -> None:
        """Ends the connection, and says so to the server."""
        if self._agreed and not self.failure:
            with contextlib.suppress(OSError, ValueError):
                self.socket.unwrap()
        self._attempt.forget_server()
        super().close()

    # -- helpers, in the order they are called ------------------------------

    def _shake_hands(self) -> int:
        self._awaits = ovs.poller.POLLOUT
        try:
            self.socket.do_handshake()
        except ssl.SSLWantReadError:
            self.greeted = True
            self._awaits = ovs.poller.POLLIN
            return errno.EAGAIN
        except ssl.SSLWantWriteError:
            return errno.EAGAIN
        except OSError as error:
            return self._fail(self._attempt.explain(error))
        except ValueError as error:
            return self._fail(self._attempt.explain(OSError(str(error))))
        self._agreed, self.greeted = True, False
        self._attempt.forget_server()
        return self._take_ca() if self.socket.context.verify_mode == ssl.CERT_NONE else 0

    def _take_ca(self) -> int:
        """Takes the CA of the first server, as OVS does; the next connection goes by it."""
        if not self._attempt.keys.is_first:
            return 0
        try:
            tls.keep_ca(self.socket, self._attempt.keys)
        except HostError as error:
            return self._fail(str(error))
        return self._fail(
            f"its CA is believed from here on; {tls.format_path(self._attempt.keys.ca_cert)} has it"
        )

    def _note_heard(self) -> None:
        """Takes it that the server has accepted us: TLS 1.3 tells a refusal in place of data."""
        if not self._heard:
            self._heard = True
            if _TOLD.pop(self.name, None) is not None:
                vlog.info(f"{self.name}: connected, and what was wrong is mended")

    def _hold_back(self, received: bytes) -> bytes:
        """Returns whole characters: python-ovs loses the first half of one without the other."""
        end = find_end(received)
        self._rest = received[end:]
        return received[:end]

    def _end(self, error: OSError | None) -> tuple[int, bytes]:
        """Returns the end of the connection as python-ovs wants it."""
        if not self._heard:
            self._fail(self._attempt.explain_end(error))
            return 0, b""
        if error is None or isinstance(error, ssl.SSLError):
            return 0, b""
        return error.errno or errno.ECONNRESET, b""

    def _fail(self, sentence: str) -> int:
        self.failure = sentence
        return errno.EPROTO
