"""One tunnel: what is known of a connection, and the item that tells it.

Pure but for its own memory; tunnels.py feeds it.

    down --initiated--> connecting --a child SA--> partial --all pairs--> up
      ^                     |                         |                    |
      +------refused--------+-------child SA gone-----+--------------------+
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import ovs.vlog

from ....lib.log_budget import LogBudget, SummedLog
from ....lib.log_pattern import escape
from ....lib.moment import format_time
from ...api.item import Item
from .. import awaited
from . import children, ike, reasons, sa_facts
from .connections import Connection
from .passed import Passed
from .phrases import CLOSED, NO_ANSWER, PROPOSAL, REFUSED, SELECTORS
from .sa_facts import Sa
from .vici import text

vlog = ovs.vlog.Vlog("tunnel")

UP = "up"
PARTIAL = "partial"
CONNECTING = "connecting"
DOWN = "down"

KIND = "tunnel"
CHILD_SA = "child_sa"

# Counters are read this often while they change, and ever more rarely while they do not.
COUNTER_INTERVAL_MS = 10_000
_FIRST_RETRY_MS = 500
_MAX_RETRY_MS = 15_000
_STABLE_MS = 10_000

# What a child SA is refused with.
_REFUSALS = (PROPOSAL, SELECTORS, REFUSED)

# Of what is left out so much is told by name.
_MOST_LEFT_OUT = 16


@dataclass(slots=True)
class ChildSas:
    """The installed child SAs of one name, of which there are two while one is made anew.

    'counters' is what is told of all that it has had.
    """

    sas: list[Sa] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=sa_facts.count_nothing)


@dataclass(slots=True)
class Tunnel:
    """What is known of one connection.

    'missing' are the child SAs to begin, 'left_out' the pairs of subnets that
    no child SA takes, 'part' what one takes of the first of them.  'reason' is
    why it is not up, 'published' the one that is told, 'parting' why it will be up
    no more, 'refusal' the last thing that the peer refused, 'warning' what is
    wrong though it is up.  'last_error' is the last reason that there was, with when
    it began (ms since the epoch); it stays when the tunnel is up.  'begins' says
    that we may open the IKE_SA, which it may share with others.  A 'cleared' one
    waits for its peer; one that is 'owed' was up until we changed it or charon
    ended, and is begun by us until it is up again, whoever may begin.  'problem'
    is what keeps charon from being given it as it is wanted.  'unanswered_ms' is
    since when its peer does not answer (since the epoch).
    """

    connection: Connection
    ike: str = ""
    begins: bool = False
    state: str = DOWN
    changed_ms: int = 0
    reason: reasons.Reason | None = None
    reason_attempt: str = ""
    published: reasons.Reason | None = None
    parting: reasons.Reason | None = None
    parting_ms: int = 0
    last_error: tuple[reasons.Reason, int] | None = None
    outage: bool = True
    refusal: reasons.Reason | None = None
    warning: str = ""
    problem: str = ""
    ike_facts: dict[str, str] = field(default_factory=dict)
    child_sas: dict[str, ChildSas] = field(default_factory=dict)
    unanswered_ms: int | None = None
    passed: Passed = field(default_factory=Passed)
    counters: dict[str, int] = field(default_factory=dict)
    counters_ms: int | None = None
    missing: list[str] = field(default_factory=list)
    left_out: list[children.Pair] = field(default_factory=list)
    part: children.Pair | None = None
    taken: str = ""
    apart: bool = False
    silent: bool = False
    cleared: bool = False
    owed: bool = False
    loaded: bool = False
    present: bool = False
    attempts: int = 0
    retry_ms: int = 0

    def set_connection(self, connection: Connection) -> None:
        """Notes how the connection is now."""
        self.connection = connection
        self.ike = ike.find_name(connection)
        if self.state in (DOWN, CONNECTING):
            self.missing = self._find_missing((), apart=self.apart)

    @property
    def waiting(self) -> bool:
        """Whether it is for us to begin something, at 'retry_ms'."""
        may_begin = (self.begins and not self.cleared) or self.owed
        return may_begin and self.loaded and bool(self.missing) and self.state in (DOWN, PARTIAL)

    def begin(self, now_ms: int) -> list[str]:
        """Counts an attempt; returns the child SAs to begin."""
        if self.refusal is not None and self.refusal.kind == SELECTORS and not self.taken:
            self.apart = not self.apart
            self.missing = self._find_missing((), apart=self.apart)
        self.refusal = None
        delay_ms = min(_FIRST_RETRY_MS << min(self.attempts + 1, 10), _MAX_RETRY_MS)
        self.attempts += 1
        self.retry_ms = now_ms + delay_ms
        if self.state == DOWN:
            self.set_state(CONNECTING, now_ms)
        return self.missing

    def restart(self) -> None:
        """Makes it be begun at once, since charon was given something else."""
        self.owed = self.owed or self.state in (UP, PARTIAL)
        self.attempts = self.retry_ms = 0
        self.reason = self.published = self.refusal = self.unanswered_ms = None
        self.warning = ""
        self.apart = self.cleared = False

    def note_end(self, now_ms: int) -> None:
        """Notes that charon has ended: the peer of what was up does not know it yet."""
        owed = self.owed or self.state in (UP, PARTIAL)
        self.set_state(DOWN, now_ms)
        self.passed.forget()
        self.forget()
        self.owed = owed

    def forget(self) -> None:
        """Makes it as one that was never tried."""
        self.apart = self.cleared = self.owed = False
        self.missing = self._find_missing((), apart=False)
        self.present = False
        self.reason_attempt = ""
        self.attempts = self.retry_ms = 0
        self.warning = self.taken = ""
        self.refusal = None

    def set_state(self, state: str, now_ms: int) -> None:
        """Notes a state, and when it may be tried again if it was up."""
        if state == self.state:
            return
        if self.state == UP:
            self.reason = self.published = self.parting
            if self.parting is not None:
                self._note_error(self.parting, self.parting_ms)
        if self.state in (UP, PARTIAL) and state in (CONNECTING, DOWN):
            stable = now_ms - self.changed_ms >= _STABLE_MS
            self.attempts = 0 if stable else self.attempts
            delay_ms = _FIRST_RETRY_MS << min(self.attempts, 5)
            self.retry_ms = now_ms + (delay_ms if self.attempts else 0)
            self._add_counters()
            self.passed.restart()
        if state in (UP, PARTIAL):
            self.silent = self.cleared = False
            self.unanswered_ms = None
        if state == UP:
            self.reason = self.published = self.refusal = None
            self.owed = self.outage = False
        if state == DOWN and self.silent and self.connection.dpd_action == "clear":
            self.cleared = True
        _tell_change(self, state, now_ms)
        self.state = state
        self.changed_ms = now_ms
        self.counters_ms = None

    def set_reason(self, reason: reasons.Reason, wall_ms: int, attempt: str = "") -> None:
        """Notes why it is not up, in which attempt."""
        if reason.kind in _REFUSALS:
            self.refusal = reason
        if self.state == UP:
            # The rest is of a packet that was lost, or of a second SA that the peer tried.
            if reason.kind == CLOSED:
                self.parting, self.parting_ms = reason, wall_ms
            return
        last = self.reason
        if reason.weak and last and not last.weak and self.reason_attempt == attempt:
            return
        self.reason, self.reason_attempt = reason, attempt
        self._note_error(reason, wall_ms)
        if reason.kind != NO_ANSWER:
            self.unanswered_ms = None
        elif self.unanswered_ms is None:
            self.unanswered_ms = wall_ms
        if self.published is None or self.published.kind != reason.kind:
            self.published = reason

    def forget_reason(self, but_of: Collection[str]) -> None:
        """Forgets why it was not up, if that was of no IKE_SA of these, or that nobody answered."""
        silent = self.reason is not None and self.reason.kind == NO_ANSWER
        if silent or self.reason_attempt.partition(".")[0] not in but_of:
            self.reason = self.published = None

    def note_dead_peer(self) -> None:
        """Notes that the peer of a tunnel that was up does not answer any more."""
        self.silent = self.silent or self.state in (UP, PARTIAL)

    def note_failed_rekey(self) -> None:
        """Notes that the peer refused to replace a child SA, as soon as that was tried."""
        refusal, self.refusal = self.refusal, None
        if refusal is not None and refusal.kind == PROPOSAL:
            self.warning = (
                f"{self.connection.peer_address} refuses to rekey ({refusal.sentence});"
                " compare pfs of both sides; the tunnel ends after"
                f" {self.connection.esp_lifetime_s} s and is made anew"
            )

    def take(self, found: Mapping[str, ChildSas], listed: Collection[Sa], now_ms: int) -> None:
        """Takes the child SAs of it that are installed, by name, and all that are listed."""
        self.parting = None  # it was of another SA, or it has been told
        flat = [child for each in found.values() for child in each.sas]
        self.left_out = children.find_left_out(self.connection, flat)
        self.part = children.find_part(self.left_out[0], flat) if self.left_out else None
        self.missing = self._find_missing(found, apart=self.apart)
        taken = ",".join(sorted(text(each.get("spi-in")) for each in flat))
        if taken != self.taken:
            self.taken, self.warning = taken, ""
        for name, each in found.items():
            if name in self.child_sas:
                each.counters = self.child_sas[name].counters
        self.child_sas = dict(found)
        self.passed.note(listed)
        self.passed.keep(listed)
        self._count(now_ms)

    def _find_missing(self, installed: Collection[str], *, apart: bool) -> list[str]:
        left_out = self.left_out if installed else children.find_pairs(self.connection)
        return children.find_missing(self.connection, installed, left_out, apart)

    def _note_error(self, reason: reasons.Reason, wall_ms: int) -> None:
        """Notes the last thing that went wrong, and when it began to."""
        if not self.outage or self.last_error is None or self.last_error[0].kind != reason.kind:
            self.last_error = reason, wall_ms
        self.outage = True

    def _count(self, now_ms: int) -> None:
        """Takes the counters over, and the figures of the reason, but not too often."""
        last_ms = self.counters_ms
        if last_ms is not None and now_ms - last_ms < COUNTER_INTERVAL_MS:
            return
        self.counters_ms = now_ms
        self.published = self.reason
        if self.state in (UP, PARTIAL):
            self._add_counters()

    def _add_counters(self) -> None:
        sums = self.passed.find_sums()
        self.counters = sa_facts.add(*sums.values())
        for name, each in self.child_sas.items():
            each.counters = sums.get(name, each.counters)


# Of all tunnels of this chassis.
_CHANGES = SummedLog(vlog.info, "changes of tunnels", LogBudget())


def _tell_change(tunnel: Tunnel, state: str, now_ms: int) -> None:
    """Logs that a tunnel comes up as a whole or in part, or goes down."""
    working = (UP, PARTIAL)
    if state not in working and tunnel.state not in working:
        return
    told = state if state in working else DOWN
    _CHANGES.tell(told, lambda: _describe_change(tunnel, told), now_ms)


def _describe_change(tunnel: Tunnel, state: str) -> str:
    connection, reason = tunnel.connection, tunnel.reason
    said = f"{connection.name}: {state}, {connection.local_address} to {connection.peer_address}"
    if state == DOWN and reason is not None:
        said += f": {reason.sentence}"
    return escape(said)


def make_item(tunnel: Tunnel, installed: bool, stranger: str = "") -> Item:
    """Returns what there is to tell.

    'installed' says that OVN has the container's port; 'stranger' is an address
    that calls and that no connection is with.
    """
    connection = tunnel.connection
    return Item(
        kind=KIND,
        name=connection.id,
        subject=connection.id,
        state=tunnel.state,
        message=_find_message(tunnel, installed, stranger),
        detail={
            "ike_algorithms": "",
            "esp_algorithms": "",
            **_find_facts(tunnel),
            "local_subnets": ",".join(connection.local_subnets),
            "peer_subnets": ",".join(connection.peer_subnets),
        },
        counters=tunnel.counters or sa_facts.count_nothing(),
    )


def make_child_items(tunnel: Tunnel) -> list[Item]:
    """Returns what there is to tell of each child SA, where there is more than one.

    What one alone is like is in the item of the tunnel.
    """
    if len(tunnel.child_sas) < 2 or tunnel.state not in (UP, PARTIAL):
        return []
    return [
        Item(
            kind=CHILD_SA,
            name=name,
            state=UP,
            detail={**each.facts, **sa_facts.find_selectors(each.sas)},
            counters=each.counters,
        )
        for name, each in tunnel.child_sas.items()
    ]


def _find_facts(tunnel: Tunnel) -> dict[str, str]:
    facts: dict[str, str] = {}
    if tunnel.state in (UP, PARTIAL):
        facts |= tunnel.ike_facts
        for each in tunnel.child_sas.values():
            facts |= each.facts
    if tunnel.state == PARTIAL:
        facts["left_out"] = _list_left_out(tunnel)
    if tunnel.last_error is not None:
        reason, began_ms = tunnel.last_error
        facts |= {"last_error": reason.sentence, "last_error_at": format_time(began_ms)}
    return {key: value for key, value in facts.items() if value}


def _list_left_out(tunnel: Tunnel) -> str:
    pairs = [f"{local} with {peer}" for local, peer in tunnel.left_out[:_MOST_LEFT_OUT]]
    more = len(tunnel.left_out) - len(pairs)
    return ", ".join([*pairs, *([f"and {more} more"] if more else [])])


def _find_message(tunnel: Tunnel, installed: bool, stranger: str) -> str:
    if tunnel.state in (UP, PARTIAL):
        said = _tell_left_out(tunnel) if tunnel.state == PARTIAL else tunnel.warning
        return "; ".join(each for each in (tunnel.problem, said) if each)
    if tunnel.problem:
        return tunnel.problem
    if tunnel.state == DOWN and not installed:
        return awaited.INSTALLATION
    if tunnel.published is not None and tunnel.published.kind != NO_ANSWER:
        return tunnel.published.sentence
    # Where its peer is silent, who else calls may be the peer at another address.
    calls = f"{stranger} calls, and no connection is with it" if stranger else ""
    return "; ".join(each for each in (_tell_silence(tunnel), calls) if each)


def _tell_silence(tunnel: Tunnel) -> str:
    peer = tunnel.connection.peer_address
    if tunnel.cleared:
        return f"{peer} did not answer; waiting for it to initiate (dpd_action clear)"
    if tunnel.published is not None:
        since = tunnel.unanswered_ms
        told = f" since {format_time(since)}" if since is not None else ""
        return f"{tunnel.published.sentence}{told}"
    if tunnel.state == CONNECTING:
        return awaited.format_connecting(peer)
    return "" if tunnel.begins else awaited.format_initiation(peer)


def _tell_left_out(tunnel: Tunnel) -> str:
    pairs = len(children.find_pairs(tunnel.connection))
    local, peer = tunnel.left_out[0]
    told = f"{len(tunnel.left_out)} of {pairs} pairs of subnets not taken as a whole by the peer"
    part = f" (of it {tunnel.part[0]} with {tunnel.part[1]} is)" if tunnel.part else ""
    why = f": {tunnel.published.sentence}" if tunnel.published is not None else ""
    return f"{told}, such as {local} with {peer}{part}{why}"
