"""Whether what a container sends gets through the underlay whole, in Geneve.

The longest packet of a container is put into Geneve and sent with DF.  An underlay with a smaller
MTU drops it and most often says nothing: short packets pass, and TCP hangs.  So the other tunnel
end points are asked for an echo of that size, and for a short one beside it: who answers the short
one only, several times, is behind such a path.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

# What OVN puts around a packet of IP: Ethernet 14, Geneve 8 with an option of 8, UDP 8, IPv4 20.
OVERHEAD = 58
# Of which the headers of an echo request are 28; with IPv6 20 more of either.
_ECHO_HEADERS = 28
_INTERVAL_MS = 30_000
_FIRST_INTERVAL_MS = 5_000
_ROUNDS = 3
_AT_ONCE = 4


class Probes(Protocol):
    """Asks hosts for echoes that no router divides (linux/echo.py)."""

    def send_probes(self, addresses: Collection[str], length: int) -> set[str]:
        """Asks for echoes with content of 'length' bytes; returns to whom they are too long."""

    def take_probe_answers(self) -> set[tuple[str, int]]:
        """Returns who answered since the last call, with the length."""


@dataclass(slots=True)
class Underlay:
    """What was seen of the paths to other chassis, for packets of one length."""

    probes: Probes
    _mtu: int = 0
    _turn: int = 0
    _rounds: int = 0
    _next_ms: int = 0
    _asked: list[str] = field(default_factory=list)
    _refused: set[str] = field(default_factory=set)
    # By peer: in how many rounds on end it had a short echo only.
    _short: dict[str, int] = field(default_factory=dict)
    _known: set[str] = field(default_factory=set)

    def run(self, peers: Collection[str], find_mtu: Callable[[], int], now_ms: int) -> None:
        """Asks, when it is time to, some of 'peers' whether packets of that size arrive.

        'find_mtu' returns the longest packet that a container here sends, 0 for none.
        """
        if now_ms < self._next_ms:
            return
        mtu, answers = find_mtu(), self.probes.take_probe_answers()
        if mtu != self._mtu:
            self._mtu, self._rounds, self._asked = mtu, 0, []
            self._short.clear()
            self._known.clear()
        self._judge(answers)
        self._forget(peers)
        self._ask(sorted(peers) if mtu else [])
        self._rounds += 1
        hurried = self._rounds <= _ROUNDS or any(each < _ROUNDS for each in self._short.values())
        self._next_ms = now_ms + (_FIRST_INTERVAL_MS if hurried else _INTERVAL_MS)

    @property
    def warning(self) -> str | None:
        """Which other chassis whole packets do not reach, in a sentence."""
        narrow = sorted(each for each, rounds in self._short.items() if rounds >= _ROUNDS)
        if not narrow:
            return None
        return (
            f"packets of {self._mtu + OVERHEAD} bytes do not pass the underlay to {narrow[0]}"
            f" ({len(narrow)} of {len(self._known)} chassis asked): its MTU is too small for"
            f" options:container-mtu {self._mtu} in Geneve"
        )

    def _judge(self, answers: Collection[tuple[str, int]]) -> None:
        length = self._find_length()
        for peer in self._asked:
            if (peer, length) in answers:
                self._short.pop(peer, None)
                self._known.add(peer)
            elif peer in self._refused or (peer, 0) in answers:
                self._short[peer] = self._short.get(peer, 0) + 1
                self._known.add(peer)

    def _forget(self, peers: Collection[str]) -> None:
        for peer in self._short.keys() - set(peers):
            del self._short[peer]
        self._known &= set(peers)

    def _ask(self, peers: Sequence[str]) -> None:
        """Asks those that are in doubt, and others at each turn."""
        doubtful = [each for each in peers if each in self._short][:_AT_ONCE]
        others = [each for each in peers if each not in doubtful]
        begin = self._turn * _AT_ONCE
        rest = [others[(begin + each) % len(others)] for each in range(min(_AT_ONCE, len(others)))]
        self._turn += 1
        self._asked = [*doubtful, *rest]
        self.probes.send_probes(self._asked, 0)
        self._refused = self.probes.send_probes(self._asked, self._find_length())

    def _find_length(self) -> int:
        return self._mtu + OVERHEAD - _ECHO_HEADERS
