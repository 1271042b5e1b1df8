"""The tunnels of a container: charon's SAs and log -> items of kind 'tunnel'.

Pure but for its own memory: fed by gateway.py with the answers of list-sas and
with log lines, asked for items and for what to initiate.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ....lib import loop
from ...api.item import Item
from . import children, reasons, sa_facts
from .connections import Connection
from .log_lines import LogLines
from .phrases import ADDRESS, VERSION
from .probes import Probes
from .sa_facts import Moments, Sa, describe_child, describe_ike, find_number
from .tunnel import (
    CONNECTING,
    COUNTER_INTERVAL_MS,
    DOWN,
    PARTIAL,
    UP,
    ChildSas,
    Tunnel,
    make_child_items,
    make_item,
)
from .vici import text

MAX_COUNTER_INTERVAL_MS = 80_000
_CHILD_UP = {"INSTALLED", "UPDATING", "REKEYING", "REKEYED"}
_IKE_UNDER_WAY = {"CREATED", "CONNECTING"}

# Beside the tunnels, of which each is told, so many child SAs of a container are.
MOST_CHILD_ITEMS = 512


@dataclass(frozen=True, slots=True)
class Initiation:
    """What to begin in an IKE connection; 'anew' ends first what there is of it."""

    ike: str
    children: tuple[str, ...]
    anew: bool = False


class Tunnels:
    """The tunnels of one container by connection id."""

    def __init__(
        self, wall_clock_ms: Callable[[], int] = loop.now_ms, *, libipsec: bool = False
    ) -> None:
        """'libipsec' says that ESP is done by kernel-libipsec, and so in UDP."""
        self._libipsec = libipsec
        self._wall_clock_ms = wall_clock_ms
        self.by_id: dict[str, Tunnel] = {}
        self.counter_interval_ms = COUNTER_INTERVAL_MS
        self.probes = Probes()
        self._by_ike: dict[str, list[Tunnel]] = {}
        # IKE connections that are established and have no child SA.
        self._bare: set[str] = set()
        self._log = LogLines()
        self._moments = Moments(wall_clock_ms)

    def set_connections(self, connections: Iterable[Connection]) -> None:
        """Notes which connections there are; the others are forgotten."""
        known = self.by_id
        self.by_id, self._by_ike = {}, {}
        for connection in connections:
            tunnel = known.get(connection.id) or Tunnel(connection)
            tunnel.set_connection(connection)
            self.by_id[connection.id] = tunnel
            self._by_ike.setdefault(tunnel.ike, []).append(tunnel)
        for tunnels in self._by_ike.values():
            begins = any(each.connection.initiate for each in tunnels)
            for each in tunnels:
                each.begins = begins
        self._log.want(each.connection for each in self.by_id.values())

    def reset(self, now_ms: int) -> None:
        """Notes that charon has ended, and each tunnel with it."""
        for tunnel in self.by_id.values():
            tunnel.note_end(now_ms)
        self._bare = set()
        self._log = LogLines(each.connection for each in self.by_id.values())
        self.probes.forget()

    def set_loaded(self, connections: Collection[str]) -> None:
        """Notes which connections charon has; no other is initiated."""
        for name, tunnel in self.by_id.items():
            tunnel.loaded = name in connections

    def hasten(self) -> None:
        """Makes each tunnel that is down be due at once."""
        for tunnel in self.by_id.values():
            tunnel.attempts = tunnel.retry_ms = 0

    def take_dropped(self, keep_up: bool, now_ms: int) -> list[str]:
        """Returns the IKE connections that have anything to end, and takes it as ended.

        'keep_up' leaves out those of which anything is up.
        """
        dropped = []
        for name, tunnels in self._by_ike.items():
            if keep_up and any(each.state in (UP, PARTIAL) for each in tunnels):
                continue
            if any(each.present or each.state != DOWN for each in tunnels):
                dropped.append(name)
                for each in tunnels:
                    each.set_state(DOWN, now_ms)
                    each.forget()
        return dropped

    def restart(self, connection: str) -> None:
        """Makes the connection be initiated at once."""
        if connection in self.by_id:
            self.by_id[connection].restart()

    def set_problem(self, connection: str, sentence: str) -> None:
        """Notes what keeps charon from being given a connection as it is wanted, "" for nothing."""
        if connection in self.by_id:
            self.by_id[connection].problem = sentence

    def note_error(self, connection: str, sentence: str) -> None:
        """Notes a reason that does not come from charon's log."""
        if connection in self.by_id:
            reason = reasons.Reason("configuration", sentence)
            self.by_id[connection].set_reason(reason, self._wall_clock_ms())

    def take_log(self, event: Mapping[str, Any]) -> bool:
        """Takes a log event of charon; returns whether SAs are worth a look for it."""
        stranger = self._log.stranger
        told = self._log.take(event)
        for each in told:
            tunnel = self.by_id[each.connection]
            if each.dead_peer:
                tunnel.note_dead_peer()
            if each.failed_rekey:
                tunnel.note_failed_rekey()
            # charon has not heard of one that is not loaded, and takes its peer for a stranger.
            reason = each.reason
            if reason is not None and (tunnel.loaded or reason.kind not in (ADDRESS, VERSION)):
                tunnel.set_reason(reason, self._wall_clock_ms(), each.attempt)
        return bool(told) or self._log.stranger != stranger or self._begins_rekeying(event)

    def _begins_rekeying(self, event: Mapping[str, Any]) -> bool:
        """Returns whether charon begins to replace a child SA.

        It forgets what went out through the old one since it was last listed.
        """
        child = reasons.find_child(text(event.get("msg")))
        tunnel = self.by_id.get(children.find_connection_id(child or ""))
        return tunnel is not None and tunnel.state in (UP, PARTIAL)

    def take_change(self, event: Mapping[str, Any]) -> None:
        """Takes what charon tells of SAs that end or are replaced: their last counters."""
        if "up" in event:
            return  # of one that comes, a list that is on its way may know nothing
        for child in sa_facts.list_children(event.values()):
            tunnel = self.by_id.get(children.find_connection_id(text(child.get("name"))))
            if tunnel is not None:
                tunnel.passed.note([child])

    def take_sas(self, events: Iterable[Mapping[str, Any]], now_ms: int) -> None:
        """Takes the events of one list-sas: all IKE_SAs there are."""
        found: dict[str, list[Sa]] = {}
        for event in events:
            for name, ike_sa in event.items():
                if isinstance(ike_sa, Mapping):
                    found.setdefault(name, []).append(ike_sa)
        before = [_find_pace(each) for each in self.by_id.values()]
        self._bare = {name for name, sas in found.items() if _is_bare(sas)}
        for name, tunnels in self._by_ike.items():
            self._update(tunnels, found.get(name, []), now_ms)
        self._moments.keep(each for sas in found.values() for each in sas)
        self._follow_counters(before)
        present = {text(each.get("uniqueid")) for sas in found.values() for each in sas}
        self._log.forget(present, now_ms)
        self.probes.take_sas(
            (each for name in self._by_ike for each in found.get(name, [])), now_ms
        )

    def take_due(self, now_ms: int) -> list[Initiation]:
        """Returns what to initiate now, and counts the attempt."""
        due: list[Initiation] = []
        for name, tunnels in self._by_ike.items():
            waiting = [each for each in tunnels if each.waiting and now_ms >= each.retry_ms]
            # Some things are refused in an established IKE_SA only, as what a child SA is made
            # with has no part in the first exchanges (RFC 7296, 1.3.1).
            anew = name in self._bare and any(each.refusal is not None for each in waiting)
            missing = tuple(child for each in waiting for child in each.begin(now_ms))
            if missing:
                due.append(Initiation(name, missing, anew))
        return due

    def find_next_ms(self) -> int | None:
        """Returns when take_due() has something again."""
        waiting = (each.retry_ms for each in self.by_id.values() if each.waiting)
        return min(waiting, default=None)

    @property
    def connecting(self) -> bool:
        """Whether a tunnel may come up or fail at any moment."""
        return any(each.state == CONNECTING for each in self.by_id.values())

    def items(self, installed: bool) -> list[Item]:
        """Returns what there is to tell of each tunnel, and of child SAs that share one."""
        tunnels = self.by_id.values()
        parts = [item for each in tunnels for item in make_child_items(each)]
        stranger = self._log.stranger
        return [
            *(make_item(each, installed, stranger) for each in tunnels),
            *parts[:MOST_CHILD_ITEMS],
        ]

    # -- helpers -----------------------------------------------------------

    def _update(self, tunnels: Iterable[Tunnel], sas: list[Sa], now_ms: int) -> None:
        """Takes the IKE_SAs of one IKE connection over into the tunnels that it is of."""
        found: dict[str, dict[str, ChildSas]] = {}
        ike_facts: dict[str, str] = {}
        ids = set()
        listed: dict[str, list[Sa]] = {}
        for child in sa_facts.list_children(sas):
            listed.setdefault(children.find_connection_id(text(child.get("name"))), []).append(
                child
            )
        for ike_sa, child in _find_children(sas, _CHILD_UP):
            name = text(child.get("name"))
            mine = found.setdefault(children.find_connection_id(name), {})
            each = mine.setdefault(name, ChildSas())
            each.sas.append(child)
            each.facts = describe_child(child, ike_sa, self._moments, self._libipsec)
            ike_facts = describe_ike(ike_sa, self._moments)
            ids.add(text(ike_sa.get("uniqueid")))
        under_way = any(text(each.get("state")) in _IKE_UNDER_WAY for each in sas)
        for tunnel in tunnels:
            tunnel.present = bool(sas)
            tunnel.ike_facts = ike_facts or tunnel.ike_facts
            mine = found.get(tunnel.connection.id, {})
            before = tunnel.state
            tunnel.set_state(_find_state(tunnel, mine, under_way, now_ms), now_ms)
            if tunnel.state == PARTIAL and before in (DOWN, CONNECTING):
                tunnel.forget_reason(ids)
            tunnel.take(mine, listed.get(tunnel.connection.id, []), now_ms)

    def _follow_counters(self, before: list[_Pace]) -> None:
        """Finds how often counters are to be read, from how the tunnels were 'before' this time."""
        pairs = list(zip(before, map(_find_pace, self.by_id.values()), strict=True))
        if any(old[1:] != new[1:] for old, new in pairs):
            self.counter_interval_ms = COUNTER_INTERVAL_MS
        elif any(old[0] != new[0] for old, new in pairs):
            longer_ms = 2 * self.counter_interval_ms
            self.counter_interval_ms = min(longer_ms, MAX_COUNTER_INTERVAL_MS)


_Pace = tuple[int | None, int, dict[str, int]]
"""When counters were read, when the state changed, and the counters."""


def _find_pace(tunnel: Tunnel) -> _Pace:
    return tunnel.counters_ms, tunnel.changed_ms, dict(tunnel.counters)


def _is_bare(sas: Iterable[Sa]) -> bool:
    established = any(text(each.get("state")) == "ESTABLISHED" for each in sas)
    return established and next(_find_children(sas, _CHILD_UP), None) is None


def _find_children(sas: Iterable[Sa], states: Collection[str]) -> Iterator[tuple[Sa, Sa]]:
    """Yields each child SA in one of 'states' with its IKE_SA, the newest last."""
    for ike_sa in sorted(sas, key=find_number):
        for child in sorted((ike_sa.get("child-sas") or {}).values(), key=find_number):
            if text(child.get("state")) in states:
                yield ike_sa, child


def _find_state(tunnel: Tunnel, mine: Mapping[str, ChildSas], under_way: bool, now_ms: int) -> str:
    flat = [child for each in mine.values() for child in each.sas]
    if not children.find_left_out(tunnel.connection, flat):
        return UP
    if flat:
        return PARTIAL
    begun = tunnel.state == CONNECTING and now_ms < tunnel.retry_ms
    return CONNECTING if under_way or begun else DOWN
