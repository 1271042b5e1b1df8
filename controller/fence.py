"""The fence of an isolated chassis: its containers are to get no packet, as others may serve.

A chassis that is cut off keeps its flows, and guests on it would go on sending to a container that
another chassis has taken over.  isolation.py decides; this asks the other chassis for echoes, few
of them and seldom while all is well, and keeps which heartbeat was made when.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import ovs.poller
import ovs.vlog

from ..lib.numbers import parse_number
from ..lib.options import find_numbers
from .isolation import Isolation, Timing, find_timing

vlog = ovs.vlog.Vlog("fence")

# How many of the other chassis are asked at a time.
SPARSE = 4
DENSE = 8
_REMEMBERED_BEATS = 256
_LONGEST_MS = 2**31 - 1

SENTENCE = "fenced while isolated"


class Echoes(Protocol):
    """Asks hosts for an echo (linux/echo.py)."""

    def send_echoes(self, addresses: Collection[str]) -> None:
        """Asks each of 'addresses'."""

    def take_answers(self) -> set[str]:
        """Returns the addresses that answered since the last call."""

    def wait_answers(self, poller: ovs.poller.Poller) -> None:
        """Arms 'poller' for answers."""


def read_timing(options: Mapping[str, str]) -> Timing:
    """Returns the times that SB_Global:options ask for."""
    return find_timing(find_numbers(options)["heartbeat-interval"], find_dead_after_ms(options))


def find_dead_after_ms(options: Mapping[str, str]) -> int:
    """Returns for how long a heartbeat may be missing, as SB_Global:options say."""
    told = parse_number(options.get("chassis-dead-after", ""), 1, _LONGEST_MS)
    return told or find_numbers(options)["chassis-dead-after"]


def choose(peers: Sequence[str], answered: Collection[str], turn: int, limit: int) -> list[str]:
    """Returns up to 'limit' of 'peers' to ask, others at each 'turn'. Pure.

    Half of them are of those that have 'answered' before, who tell most by being silent.
    """
    known = [each for each in peers if each in answered]
    others = [each for each in peers if each not in answered]
    number = min(len(others), max(limit // 2, limit - len(known)))
    return _take(known, turn, limit - number) + _take(others, turn, number)


def _take(peers: Sequence[str], turn: int, number: int) -> list[str]:
    number = min(number, len(peers))
    return [peers[(turn * number + each) % len(peers)] for each in range(number)]


class Fence:
    """Whether the containers of this chassis are fenced, over time."""

    def __init__(self, echoes: Echoes) -> None:
        self._echoes = echoes
        self._isolation = Isolation()
        self._timing = read_timing({})
        self._known_peers: frozenset[str] = frozenset()
        self._peers: tuple[str, ...] = ()
        self._answered: set[str] = set()
        self._beats: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED_BEATS)
        self._turn = 0

    @property
    def on(self) -> bool:
        """Whether the containers are to get no packet."""
        return self._isolation.since_ms is not None

    def set_options(self, options: Mapping[str, str]) -> None:
        """Goes by SB_Global:options from here on."""
        self._timing = read_timing(options)

    def set_peers(self, peers: frozenset[str]) -> None:
        """Notes the addresses of the other chassis' tunnel end points."""
        if peers is not self._known_peers:
            self._known_peers = peers
            self._peers = tuple(sorted(peers))
            self._answered &= peers

    def note_beat(self, number: int, now_ms: int) -> None:
        """Notes that the heartbeat 'number' was made, to be sent at once or later."""
        self._beats.append((number, now_ms))

    def note_acknowledged(self, number: int) -> None:
        """Notes that the southbound has the heartbeat 'number'."""
        while self._beats and self._beats[0][0] < number:
            self._beats.popleft()
        if self._beats and self._beats[0][0] == number:
            isolated_ms = self._isolation.since_ms
            self._isolation.note_acknowledged(self._beats[0][1])
            if isolated_ms is not None and not self.on:
                vlog.info("isolated no more: the southbound is back; the fence is lifted")

    def run(self, now_ms: int) -> bool:
        """Asks and listens; returns whether the containers are to be fenced, and logs why."""
        before = self.on
        answers = self._echoes.take_answers() & self._known_peers
        if answers:
            self._answered |= answers
            self._isolation.note_answer(now_ms)
        if self._answered and self._isolation.judge(now_ms, self._timing) and not before:
            vlog.warn(
                f"isolated: the southbound has acknowledged no heartbeat for "
                f"{self._format_age(now_ms)}, and none of {len(self._peers)} chassis answers over "
                "the underlay; containers are fenced until the southbound is back"
            )
        if self._peers and now_ms >= self._isolation.find_round_ms(now_ms, self._timing):
            self._ask(now_ms)
        return self.on

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for when run() has something to do again."""
        if not self._peers:
            return
        if self._isolation.is_urgent(now_ms, self._timing):
            # At other times answers can wait for the next heartbeat.
            self._echoes.wait_answers(poller)
        next_ms = self._isolation.find_next_ms(now_ms, self._timing)
        poller.timer_wait(max(0, next_ms - now_ms))

    def describe(self, now_ms: int) -> str:
        """Returns for people whether the containers are fenced, or why they cannot be."""
        since_ms = self._isolation.since_ms
        if since_ms is not None:
            return f"{SENTENCE}, for {(now_ms - since_ms) / 1000:.1f} s"
        if not self._peers:
            return "not fenced; no other chassis is known, so isolation is not noticed"
        if not self._answered:
            return (
                f"not fenced; none of {len(self._peers)} chassis has answered an echo yet, "
                "so isolation is not noticed"
            )
        return f"not fenced; {len(self._answered)} of {len(self._peers)} chassis answered"

    def _ask(self, now_ms: int) -> None:
        limit = DENSE if self._isolation.is_urgent(now_ms, self._timing) else SPARSE
        self._echoes.send_echoes(choose(self._peers, self._answered, self._turn, limit))
        self._turn += 1
        self._isolation.note_round(now_ms, self._timing)

    def _format_age(self, now_ms: int) -> str:
        return f"{(self._isolation.find_age_ms(now_ms) or 0) / 1000:.1f} s"
