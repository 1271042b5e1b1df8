"""Brings charon's connections and secrets to what is wanted, and only what differs.

Used by gateway.py, once for each connection to charon and on each change.
Secrets are unsealed here, handed to charon and not kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import astuple, dataclass, field

import ovs.vlog

from ....lib import state_file
from ....lib.errors import ConfigError
from ...api.digest import load_key, make_digest
from ...api.host import Sandbox, Workload
from . import charon
from .children import find_connection_id
from .connections import Connection, Settings
from .ike import (
    Ike,
    find_ikes,
    format_children,
    format_ike,
    format_secret,
    format_settings,
    format_termination,
)
from .tunnels import Tunnels
from .vici import MAX_PACKET_BYTES, Channel, Reply, can_be_sent, find_size, text

vlog = ovs.vlog.Vlog("ipsec")

# For the names of command and connection, and of the section of children.
_ROOM_OF_A_FRAME = 256
_TOO_MUCH = "it has more than charon can be told"


@dataclass(frozen=True, slots=True)
class _Given:
    """Digests of what charon has of an IKE connection: its settings and secrets; each child SA."""

    settings: str
    children: Mapping[str, str] = field(default_factory=dict)


class Loader:
    """What one charon was given, and what it should have."""

    def __init__(self, sandbox: Sandbox, tunnels: Tunnels) -> None:
        self._sandbox = sandbox
        self._tunnels = tunnels
        self._connections: dict[str, Connection] = {}
        self._sealed: dict[str, str] = {}
        self._ikes: dict[str, Ike] = {}
        # What keeps a connection from being given to charon as it is wanted.
        self._problems: dict[str, str] = {}
        # What charon should have; of an IKE connection whose secret cannot be read it is not known.
        self._wanted: dict[str, _Given] = {}
        self._generation = 0
        self._loaded: dict[str, _Given] = {}
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
        secrets = self._read_secrets()
        self._ikes = {
            name: self._fit(ike, secrets)
            for name, ike in find_ikes(self._connections.values()).items()
        }
        key = load_key(self._sandbox.directory)
        self._wanted = {
            name: _make_given(ike, known, key)
            for name, ike in self._ikes.items()
            if (known := {secrets[each.id] for each in ike.members if each.id in secrets})
        }
        self._generation = wanted.generation
        self._dirty = True

    def remember(self) -> None:
        """Reads what the charon that was taken over has been given."""
        path = charon.find_loaded_path(self._sandbox)
        recorded = state_file.read_json(path)
        with contextlib.suppress(TypeError, AttributeError, ValueError):
            self._loaded = {
                name: _Given(settings, dict(children))
                for name, (settings, children) in recorded.items()
            }

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
        """The connections that charon has: as they are wanted, or as they were, if it cannot."""
        known = self._loaded.keys() & (self._present or ()) & self._ikes.keys()
        has = {find_connection_id(each) for name in known for each in self._loaded[name].children}
        return has & {each.id for name in known for each in self._ikes[name].members}

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

    def _has(self, name: str) -> bool:
        """Whether charon has an IKE connection as it is wanted."""
        present, wanted = self._present or (), self._wanted.get(name)
        return name in present and wanted is not None and self._loaded.get(name) == wanted

    def _plan(self) -> Iterator[tuple[str, dict[str, object], Callable[[Reply], None]]]:
        assert self._present is not None
        assert self._keys is not None
        self._tell_problems()
        for name in sorted(self._present - self._ikes.keys()):
            yield "unload-conn", {"name": name}, self._unloaded(name)
            yield "terminate", format_termination(name), self._answered
        for name in sorted(self._keys - self._connections.keys()):
            yield "unload-shared", {"id": name}, self._answered
        for name, ike in self._ikes.items():
            # What cannot be read leaves what runs as it is.
            if name in self._wanted and not self._has(name):
                yield from self._load(ike)

    def _tell_problems(self) -> None:
        for name in self._connections:
            self._tunnels.set_problem(name, "")
        for name, sentence in self._problems.items():
            self._refuse(name, sentence)

    def _load(self, ike: Ike) -> Iterator[tuple[str, dict[str, object], Callable[[Reply], None]]]:
        assert self._present is not None
        for each in ike.members:
            with contextlib.suppress(ConfigError):  # told already; they need one key among them
                yield "load-shared", format_secret(each, self._unseal(each.id)), self._answered
        before = self._loaded.get(ike.name) if ike.name in self._present else None
        yield "load-conn", format_ike(ike), self._loaded_as(ike)
        # What was negotiated with the old configuration must not stay.
        wanted = self._wanted[ike.name]
        if before is None or before.settings != wanted.settings:
            if ike.name in self._present:
                yield "terminate", format_termination(ike.name), self._answered
            return
        for child, digest in before.children.items():
            if wanted.children.get(child) != digest:
                yield "terminate", format_termination(ike.name, child), self._answered

    def _read_secrets(self) -> dict[str, str]:
        """Returns the secrets by connection; notes why one cannot be read, or told."""
        self._problems = {}
        found: dict[str, str] = {}
        for name, connection in self._connections.items():
            try:
                psk = self._unseal(name)
            except ConfigError as error:
                self._problems[name] = str(error)
                continue
            if can_be_sent(format_secret(connection, psk)):
                found[name] = psk
            else:
                self._problems[name] = _TOO_MUCH
        return found

    def _fit(self, ike: Ike, secrets: Collection[str]) -> Ike:
        """Returns an IKE connection as far as charon can be told of it; notes who is left out.

        Whoever charon has already comes before newcomers.
        """
        loaded = self._loaded.get(ike.name, _Given("")).children
        has = {find_connection_id(child) for child in loaded}
        room = (
            MAX_PACKET_BYTES - _ROOM_OF_A_FRAME - (find_size(format_settings(ike.members[0])) or 0)
        )
        fit: list[Connection] = []
        for each in sorted(ike.members, key=lambda one: (one.id not in has, one.id)):
            size = find_size(format_children(Ike("", (each,))))
            if size is None or size >= room:
                self._problems.setdefault(each.id, _TOO_MUCH)
            elif self._problems.get(each.id) != _TOO_MUCH:
                room -= size
                fit.append(each)
        return Ike(ike.name, tuple(sorted(fit, key=lambda one: one.id)))

    def _unseal(self, name: str) -> str:
        if not self._sealed.get(name):
            raise ConfigError("it has no pre-shared key")
        return self._sandbox.unseal(self._sealed[name])

    def _refuse(self, name: str, sentence: str) -> None:
        self.problem = f"connection {self._connections[name].name}: {sentence}"
        self._tunnels.set_problem(name, sentence)

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
            self._loaded.pop(name, None)
            self._record()

        return note

    def _loaded_as(self, ike: Ike) -> Callable[[Reply], None]:
        given = self._wanted[ike.name]

        def note(reply: Reply) -> None:
            self._pending -= 1
            members = [each.id for each in ike.members if each.id in self._connections]
            if reply.error is not None:
                for each in members:
                    self._refuse(each, f"charon refused the configuration: {reply.error}")
                return
            assert self._present is not None
            assert self._keys is not None
            before = self._loaded.get(ike.name) if ike.name in self._present else None
            self._present.add(ike.name)
            self._keys |= set(members)
            self._loaded[ike.name] = given
            self._record()
            for each in _find_changed(before, given, members):
                self._tunnels.restart(each)

        return note

    def _record(self) -> None:
        loaded = {name: astuple(each) for name, each in self._loaded.items()}
        state_file.write_json(charon.find_loaded_path(self._sandbox), loaded)


def _make_given(ike: Ike, secrets: Collection[str], key: bytes) -> _Given:
    """Returns the digests; the names that people see are no part of them."""
    return _Given(
        make_digest([format_settings(ike.members[0]), sorted(secrets)], key),
        {name: make_digest(child, key) for name, child in format_children(ike).items()},
    )


def _find_changed(before: _Given | None, after: _Given, members: list[str]) -> list[str]:
    """Returns the connections of which anything is to be begun anew."""
    if before is None or before.settings != after.settings:
        return members
    names = before.children.keys() | after.children.keys()
    changed = {
        find_connection_id(name)
        for name in names
        if before.children.get(name) != after.children.get(name)
    }
    return [each for each in members if each in changed]
