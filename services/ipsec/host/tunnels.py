"""The tunnels of a container: charon's SAs and log -> items of kind 'tunnel'.

Pure but for its own memory: fed by gateway.py with the answers of list-sas and
with log lines, asked for items and for what to initiate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...api.item import Item
from . import reasons
from .connections import Connection, find_children
from .log_lines import LogLines
from .phrases import ADDRESS, NO_ANSWER, VERSION
from .vici import text

UP = "up"
CONNECTING = "connecting"
DOWN = "down"

KIND = "tunnel"

# Counters are read this often while they change, and ever more rarely while they do not.
COUNTER_INTERVAL_MS = 10_000
MAX_COUNTER_INTERVAL_MS = 80_000
_FIRST_RETRY_MS = 500
_MAX_RETRY_MS = 15_000
_STABLE_MS = 10_000

_CHILD_UP = {"INSTALLED", "UPDATING", "REKEYING", "REKEYED"}
_IKE_UNDER_WAY = {"CREATED", "CONNECTING"}
_COUNTERS = {
    "bytes_in": "bytes-in",
    "bytes_out": "bytes-out",
    "packets_in": "packets-in",
    "packets_out": "packets-out",
}


@dataclass(slots=True)
class Tunnel:
    """What is known of one connection."""

    connection: Connection
    state: str = DOWN
    changed_ms: int = 0
    reason: reasons.Reason | None = None
    reason_attempt: str = ""
    published: reasons.Reason | None = None
    ike_algorithms: str = ""
    esp_algorithms: str = ""
    counters: dict[str, int] = field(default_factory=dict)
    counters_ms: int | None = None
    missing: list[str] = field(default_factory=list)
    loaded: bool = False
    present: bool = False
    attempts: int = 0
    retry_ms: int = 0


class Tunnels:
    """The tunnels of one container by connection id."""

    def __init__(self) -> None:
        self.by_id: dict[str, Tunnel] = {}
        self.counter_interval_ms = COUNTER_INTERVAL_MS
        self._log = LogLines()

    def set_connections(self, connections: Iterable[Connection]) -> None:
        """Notes which connections there are; the others are forgotten."""
        known = self.by_id
        self.by_id = {}
        for connection in connections:
            tunnel = known.get(connection.id) or Tunnel(connection)
            tunnel.connection = connection
            tunnel.missing = tunnel.missing or list(find_children(connection))
            self.by_id[connection.id] = tunnel
        self._log.want(each.connection for each in self.by_id.values())

    def reset(self, now_ms: int) -> None:
        """Notes that charon has ended, and each tunnel with it."""
        self._log = LogLines(each.connection for each in self.by_id.values())
        for tunnel in self.by_id.values():
            self._set_state(tunnel, DOWN, now_ms)
            self._forget(tunnel)

    def set_loaded(self, connections: Collection[str]) -> None:
        """Notes which connections charon has; no other is initiated."""
        for name, tunnel in self.by_id.items():
            tunnel.loaded = name in connections

    def hasten(self) -> None:
        """Makes each tunnel that is down be due at once."""
        for tunnel in self.by_id.values():
            tunnel.attempts = tunnel.retry_ms = 0

    def take_dropped(self, keep_up: bool, now_ms: int) -> list[str]:
        """Returns the connections that have anything to end, and takes it as ended.

        'keep_up' leaves out those that are up.
        """
        dropped = []
        for name, tunnel in self.by_id.items():
            if keep_up and tunnel.state == UP:
                continue
            if tunnel.present or tunnel.state != DOWN:
                dropped.append(name)
                self._set_state(tunnel, DOWN, now_ms)
                self._forget(tunnel)
        return dropped

    def restart(self, connection: str) -> None:
        """Makes the connection be initiated at once."""
        tunnel = self.by_id[connection]
        tunnel.attempts = tunnel.retry_ms = 0
        tunnel.reason = tunnel.published = None

    def note_error(self, connection: str, sentence: str) -> None:
        """Notes a reason that does not come from charon's log."""
        self._set_reason(self.by_id[connection], reasons.Reason("configuration", sentence))

    def take_log(self, event: Mapping[str, Any]) -> bool:
        """Takes a log event of charon; returns whether it told something of a tunnel."""
        stranger = self._log.stranger
        told = self._log.take(event)
        for each in told:
            tunnel = self.by_id[each.connection]
            # charon has not heard of one that is not loaded, and takes its peer for a stranger.
            if tunnel.loaded or each.reason.kind not in (ADDRESS, VERSION):
                self._set_reason(tunnel, each.reason, each.attempt)
        return bool(told) or self._log.stranger != stranger

    def take_sas(self, events: Iterable[Mapping[str, Any]], now_ms: int) -> None:
        """Takes the events of one list-sas: all IKE_SAs there are."""
        found: dict[str, list[Mapping[str, Any]]] = {}
        for event in events:
            for name, ike_sa in event.items():
                if isinstance(ike_sa, Mapping):
                    found.setdefault(name, []).append(ike_sa)
        before = [(each.counters_ms, dict(each.counters)) for each in self.by_id.values()]
        for tunnel in self.by_id.values():
            self._update(tunnel, found.get(tunnel.connection.id, []), now_ms)
        self._follow_counters(before)
        present = {text(each.get("uniqueid")) for sas in found.values() for each in sas}
        self._log.forget(present, now_ms)

    def _follow_counters(self, before: list[tuple[int | None, dict[str, int]]]) -> None:
        """Finds how often counters are to be read, from what they were 'before' this time."""
        after = [(each.counters_ms, each.counters) for each in self.by_id.values()]
        pairs = list(zip(before, after, strict=True))
        if any(old[1] != new[1] for old, new in pairs):
            self.counter_interval_ms = COUNTER_INTERVAL_MS
        elif any(old[0] != new[0] for old, new in pairs):
            longer_ms = 2 * self.counter_interval_ms
            self.counter_interval_ms = min(longer_ms, MAX_COUNTER_INTERVAL_MS)

    def take_due(self, now_ms: int) -> list[tuple[str, str]]:
        """Returns the connections and child SAs to initiate now, and counts the attempt."""
        due: list[tuple[str, str]] = []
        for tunnel in self.by_id.values():
            if not self._is_waiting(tunnel) or now_ms < tunnel.retry_ms:
                continue
            due.extend((tunnel.connection.id, child) for child in tunnel.missing)
            delay_ms = min(_FIRST_RETRY_MS << min(tunnel.attempts + 1, 10), _MAX_RETRY_MS)
            tunnel.attempts += 1
            tunnel.retry_ms = now_ms + delay_ms
            self._set_state(tunnel, CONNECTING, now_ms)
        return due

    def find_next_ms(self) -> int | None:
        """Returns when take_due() has something again."""
        return min(
            (each.retry_ms for each in self.by_id.values() if self._is_waiting(each)), default=None
        )

    @property
    def connecting(self) -> bool:
        """Whether a tunnel may come up or fail at any moment."""
        return any(each.state == CONNECTING for each in self.by_id.values())

    def items(self, installed: bool) -> list[Item]:
        """Returns what there is to tell of each tunnel."""
        return [_make_item(each, installed, self._log.stranger) for each in self.by_id.values()]

    # -- helpers -----------------------------------------------------------

    def _forget(self, tunnel: Tunnel) -> None:
        """Makes a tunnel as one that was never tried."""
        tunnel.missing = list(find_children(tunnel.connection))
        tunnel.present = False
        tunnel.reason_attempt = ""
        tunnel.attempts = tunnel.retry_ms = 0

    def _is_waiting(self, tunnel: Tunnel) -> bool:
        return tunnel.state == DOWN and tunnel.connection.initiate and tunnel.loaded

    def _set_reason(self, tunnel: Tunnel, reason: reasons.Reason, attempt: str = "") -> None:
        if tunnel.state == UP:
            return  # of a packet that was lost, or of a second SA that the peer tried
        last = tunnel.reason
        if reason.weak and last and not last.weak and tunnel.reason_attempt == attempt:
            return
        tunnel.reason, tunnel.reason_attempt = reason, attempt
        if tunnel.published is None or tunnel.published.kind != reason.kind:
            tunnel.published = reason

    def _set_state(self, tunnel: Tunnel, state: str, now_ms: int) -> None:
        if state == tunnel.state:
            return
        if tunnel.state == UP:
            stable = now_ms - tunnel.changed_ms >= _STABLE_MS
            tunnel.attempts = 0 if stable else tunnel.attempts
            delay_ms = _FIRST_RETRY_MS << min(tunnel.attempts, 5)
            tunnel.retry_ms = now_ms + (delay_ms if tunnel.attempts else 0)
        if state == UP:
            tunnel.reason = tunnel.published = None
        tunnel.state = state
        tunnel.changed_ms = now_ms
        tunnel.counters_ms = None

    def _update(self, tunnel: Tunnel, sas: list[Mapping[str, Any]], now_ms: int) -> None:
        children: dict[str, list[Mapping[str, Any]]] = {}
        ike = None
        for ike_sa in sas:
            for child in (ike_sa.get("child-sas") or {}).values():
                if text(child.get("state")) in _CHILD_UP:
                    children.setdefault(text(child.get("name")), []).append(child)
                    ike = ike_sa
        wanted = find_children(tunnel.connection)
        tunnel.present = bool(sas)
        tunnel.missing = [name for name in wanted if name not in children]
        under_way = any(text(each.get("state")) in _IKE_UNDER_WAY for each in sas)
        if not tunnel.missing:
            self._set_state(tunnel, UP, now_ms)
        elif under_way or (tunnel.state == CONNECTING and now_ms < tunnel.retry_ms):
            self._set_state(tunnel, CONNECTING, now_ms)
        else:
            self._set_state(tunnel, DOWN, now_ms)
        flat = [child for each in children.values() for child in each]
        if ike is not None:
            tunnel.ike_algorithms = f"IKEv{text(ike.get('version'))} {_format_algorithms(ike)}"
            tunnel.esp_algorithms = f"ESP {_format_algorithms(flat[-1])}"
        self._count(tunnel, flat, now_ms)

    def _count(self, tunnel: Tunnel, children: list[Mapping[str, Any]], now_ms: int) -> None:
        """Takes the counters over, and the figures of the reason, but not too often."""
        last_ms = tunnel.counters_ms
        if last_ms is not None and now_ms - last_ms < COUNTER_INTERVAL_MS:
            return
        tunnel.counters_ms = now_ms
        tunnel.published = tunnel.reason
        for column, key in _COUNTERS.items():
            tunnel.counters[column] = sum(int(text(each.get(key)) or 0) for each in children)


def _format_algorithms(sa: Mapping[str, Any]) -> str:
    """Returns the negotiated algorithms in the names of vici, such as AES_CBC_128."""
    cipher = text(sa.get("encr-alg"))
    if sa.get("encr-keysize"):
        cipher += f"_{text(sa.get('encr-keysize'))}"
    # An AEAD cipher has no algorithm of its own for integrity; an IKE_SA then names its PRF.
    integrity = text(sa.get("integ-alg")) or text(sa.get("prf-alg"))
    return "/".join(part for part in (cipher, integrity, text(sa.get("dh-group"))) if part)


def _make_item(tunnel: Tunnel, installed: bool, stranger: str) -> Item:
    connection = tunnel.connection
    up = tunnel.state == UP
    return Item(
        kind=KIND,
        name=connection.id,
        subject=connection.id,
        state=tunnel.state,
        message=_last_error(tunnel, installed, stranger),
        detail={
            "ike_algorithms": tunnel.ike_algorithms if up else "",
            "esp_algorithms": tunnel.esp_algorithms if up else "",
            "local_subnets": ",".join(connection.local_subnets),
            "peer_subnets": ",".join(connection.peer_subnets),
        },
        counters={name: tunnel.counters.get(name, 0) for name in _COUNTERS},
    )


def _last_error(tunnel: Tunnel, installed: bool, stranger: str) -> str:
    """Returns why a tunnel is not up; where its peer is silent, also who else called."""
    if tunnel.state == DOWN and not installed:
        return "waiting for OVN to install the port on this chassis"
    published, peer = tunnel.published, tunnel.connection.peer_address
    if tunnel.state == UP or (published is not None and published.kind != NO_ANSWER):
        return published.sentence if published is not None else ""
    told = ""
    if published is not None:
        told = published.sentence
    elif tunnel.state == CONNECTING:
        told = f"connecting to {peer}"
    elif not tunnel.connection.initiate:
        told = f"waiting for {peer} to initiate"
    calls = f"{stranger} calls, and no connection is with it" if stranger else ""
    return "; ".join(each for each in (told, calls) if each)
