"""svc-controller cut off from the southbound without a word, and the heal."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..controller import southbound
from .bench import Bench


class Network:
    """What is between svc-controller and the server: TCP here, the server's unix socket there.

    'cut' makes every connection that there is mute for ever, without closing
    it, and lets no other come until 'heal'.
    """

    def __init__(self, server: Path) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._mute: list[socket.socket] = []
        self._is_cut = False
        self._lock = threading.Lock()
        self._wakeup_read, self._wakeup_write = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.remote = f"tcp:127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        with self._lock:
            self._is_cut = True
            self._mute.extend(self._pairs)
            self._pairs.clear()

    def heal(self) -> None:
        with self._lock:
            self._is_cut = False

    def tell_server(self) -> None:
        """Lets the server see the end of the connections that were cut."""
        with self._lock:
            for each in self._mute:
                if each.family == socket.AF_UNIX:
                    each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._wakeup_write.close()
        self._thread.join()
        for each in (self._listener, self._wakeup_read, *self._mute, *self._pairs):
            each.close()

    def _run(self) -> None:
        while True:
            with self._lock:
                watched = [self._listener, self._wakeup_read, *self._pairs]
            readable, _, _ = select.select(watched, [], [], 0.05)
            if self._wakeup_read in readable:
                return
            with self._lock:
                for each in readable:
                    if each is self._listener:
                        self._accept()
                    elif each in self._pairs:
                        self._forward(each)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self._is_cut:
            self._mute.append(client)
            return
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(self._server))
        self._pairs |= {client: server, server: client}

    def _forward(self, source: socket.socket) -> None:
        target = self._pairs[source]
        try:
            content = source.recv(1 << 16)
            target.sendall(content)
        except OSError:
            content = b""
        if not content:
            for each in (source, target):
                del self._pairs[each]
                each.close()


@pytest.fixture
def network(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """A network with a chassis that has registered through it."""
    monkeypatch.setattr(southbound, "PROBE_INTERVAL_MS", 1000)
    bench.logs.allow("no response to inactivity probe|connection dropped|connection attempt")
    made = Network(bench.sb.socket)
    bench.open_switch(**{"svc-remote": made.remote})
    bench.until(lambda: bench.sb.rows("Chassis"), "the chassis to register")
    yield made
    made.close()


def test_what_went_meanwhile_goes_after_the_heal(bench: Bench, network: Network) -> None:
    """The server still has the connection that was cut, which keeps nobody from anything."""
    bench.bind("c1")
    bench.bind("c2")
    bench.settle()
    network.cut()
    bench.unbind("c1")
    bench.until(lambda: not bench.controller.sb.connected, "the silence to be noticed")  # type: ignore[union-attr]
    assert bench.host.find_names() == {"c1", "c2"}
    network.heal()
    bench.until(lambda: bench.host.find_names() == {"c2"}, "c1 to go")
    bench.check_laws()


def test_a_name_that_another_has_taken_is_left_to_it(bench: Bench, network: Network) -> None:
    bench.logs.allow("another svc-controller claims the chassis name")
    bench.bind("c1")
    bench.settle()
    first = bench.controller
    network.cut()
    network.tell_server()
    network.heal()
    other = bench.controller = bench.make_rival()
    bench.until(lambda: other.ready, "the name to be free", timeout_s=20)
    bench.until_beats(1)
    bench.controller = first
    claims = "another svc-controller claims the chassis name"

    def warned() -> bool:
        other.run()
        return any(claims in text for _level, _module, text in bench.logs.messages)

    bench.until(warned, "the warning")
    assert not first.ready
    assert other.ready
    other.close()
    bench.until(lambda: first.ready, "the first one to take over", timeout_s=20)
