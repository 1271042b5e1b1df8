"""Brings charon's connections and secrets to what is wanted, and only what differs.

Used by gateway.py, once for each connection to charon and on each change.
Secrets are unsealed here, handed to charon and not kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass

import ovs.vlog

from ....lib import state_file
from ....lib.errors import ConfigError
from ...api.digest import load_key, make_digest
from ...api.host import Sandbox, Workload
from . import charon
from .connections import (
    Connection,
    Settings,
    format_connection,
    format_negotiated,
    format_secret,
    format_termination,
)
from .tunnels import Tunnels
from .vici import Channel, Reply, can_be_sent, text

vlog = ovs.vlog.Vlog("ipsec")


@dataclass(frozen=True, slots=True)
class _Digest:
    """Of what charon is given, and of the part of it that SAs depend on."""

    given: str
    negotiated: str


class Loader:
    """What one charon was given, and what it should have."""

    def __init__(self, sandbox: Sandbox, tunnels: Tunnels) -> None:
        self._sandbox = sandbox
        self._tunnels = tunnels
        self._connections: dict[str, Connection] = {}
        self._sealed: dict[str, str] = {}
        self._digests: dict[str, _Digest] = {}
        self._generation = 0
        self._loaded: dict[str, _Digest] = {}
        self._present: set[str] | None = None
        self._keys: set[str] | None = None
        self._pending = 0
        self._dirty = False
        self.reached_generation = 0
        self.reached = False
        self.problem: str | None = None

    def want(self, wanted: Workload) -> None:
        """Notes what charon should have."""
        assert isinstance(wanted.settings, Settings)
        self._connections = {each.id: each for each in wanted.settings.connections}
        self._sealed = dict(wanted.secrets)
        key = load_key(self._sandbox.directory)
        self._digests = {
            each.id: _digest(each, self._find_secret(each.id), key)
            for each in wanted.settings.connections
        }
        self._generation = wanted.generation
        self._dirty = True

    def remember(self) -> None:
        """Reads what the charon that was taken over has been given."""
        path = charon.find_loaded_path(self._sandbox)
        recorded = state_file.read_json(path)
        with contextlib.suppress(TypeError, AttributeError):
            self._loaded = {name: _Digest(*each) for name, each in recorded.items()}

    def forget(self) -> None:
        """Notes that charon has ended."""
        self._loaded = {}
        self.disconnected()

    def disconnected(self) -> None:
        """Notes that what is there is unknown until begin()."""
        self._present = self._keys = None
        self._pending = 0
        self._dirty = True

    def begin(self, channel: Channel, now_ms: int) -> None:
        """Asks charon what it has."""
        self._present = self._keys = None
        channel.request("list-conns", None, self._on_connections, now_ms, stream="list-conn")
        channel.request("get-shared", None, self._on_keys, now_ms)

    @property
    def listed(self) -> bool:
        """Whether charon has said what it has."""
        return self._present is not None and self._keys is not None

    @property
    def settled(self) -> bool:
        """Whether charon has been given everything and has answered."""
        return self.listed and not self._dirty and self._pending == 0

    @property
    def loaded(self) -> set[str]:
        """The connections that charon has as they are wanted."""
        present = self._present or set()
        digests = self._digests.items()
        return {
            name for name, each in digests if name in present and self._loaded.get(name) == each
        }

    def run(self, channel: Channel, now_ms: int) -> None:
        """Asks for what is missing or too much; notes the generation once all is answered."""
        if self._dirty and self.listed and self._pending == 0:
            self.problem = None
            for command, message, on_reply in self._plan():
                channel.request(command, message, on_reply, now_ms)
                self._pending += 1
            self._dirty = False
        if self.settled:
            self.reached_generation = self._generation
            self.reached = True

    # -- helpers, in the order they are called -----------------------------

    def _plan(self) -> Iterator[tuple[str, dict[str, object], Callable[[Reply], None]]]:
        assert self._present is not None
        assert self._keys is not None
        for name in sorted(self._present - self._connections.keys()):
            yield "unload-conn", {"name": name}, self._unloaded(name)
            yield "terminate", format_termination(name), self._answered
        for name in sorted(self._keys - self._connections.keys()):
            yield "unload-shared", {"id": name}, self._answered
        for name, connection in self._connections.items():
            if name in self._present and self._loaded.get(name) == self._digests[name]:
                continue
            try:
                psk = self._unseal(name)
            except ConfigError as error:
                self._refuse(name, str(error))
                continue
            secret, message = format_secret(connection, psk), format_connection(connection)
            if not (can_be_sent(secret) and can_be_sent(message)):
                self._refuse(name, "it has more than charon can be told")
                continue
            yield "load-shared", secret, self._answered
            digest = self._digests[name]
            changed = name in self._present and digest.negotiated != self._find_negotiated(name)
            yield "load-conn", message, self._loaded_as(name, digest)
            if changed:
                # What was negotiated with the old configuration must not stay.
                yield "terminate", format_termination(name), self._answered

    def _find_secret(self, name: str) -> list[str]:
        """Returns what stands for the secret in a digest: how it is sealed is no part of it."""
        try:
            return ["secret", self._unseal(name)]
        except ConfigError:
            return ["unreadable", self._sealed.get(name, "")]

    def _unseal(self, name: str) -> str:
        if not self._sealed.get(name):
            raise ConfigError("it has no pre-shared key")
        return self._sandbox.unseal(self._sealed[name])

    def _refuse(self, name: str, sentence: str) -> None:
        self.problem = f"connection {self._connections[name].name}: {sentence}"
        if name in self._tunnels.by_id:
            self._tunnels.note_error(name, sentence)

    def _on_connections(self, reply: Reply) -> None:
        self._present = {name for event in reply.events for name in event}

    def _on_keys(self, reply: Reply) -> None:
        self._keys = {text(each) for each in reply.message.get("keys", [])}

    def _answered(self, _reply: Reply) -> None:
        """Takes an answer that changes nothing; terminate has nothing to end at times."""
        self._pending -= 1

    def _unloaded(self, name: str) -> Callable[[Reply], None]:
        def note(_reply: Reply) -> None:
            self._pending -= 1
            if self._present is not None:
                self._present.discard(name)
            if self._keys is not None:
                self._keys.discard(name)
            self._loaded.pop(name, None)
            self._record()

        return note

    def _find_negotiated(self, name: str) -> str | None:
        loaded = self._loaded.get(name)
        return loaded.negotiated if loaded else None

    def _loaded_as(self, name: str, digest: _Digest) -> Callable[[Reply], None]:
        def note(reply: Reply) -> None:
            self._pending -= 1
            if reply.error is not None:
                if name in self._connections:
                    self._refuse(name, f"charon refused the configuration: {reply.error}")
                return
            assert self._present is not None
            assert self._keys is not None
            self._present.add(name)
            self._keys.add(name)
            self._loaded[name] = digest
            self._record()
            if name in self._tunnels.by_id:
                self._tunnels.restart(name)

        return note

    def _record(self) -> None:
        loaded = {name: astuple(each) for name, each in self._loaded.items()}
        state_file.write_json(charon.find_loaded_path(self._sandbox), loaded)


def _digest(connection: Connection, secret: list[str], key: bytes) -> _Digest:
    """Returns the digests; the name that people see is no part of them."""
    return _Digest(
        make_digest([format_connection(connection), secret], key),
        make_digest([format_negotiated(connection), secret], key),
    )
