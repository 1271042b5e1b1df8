"""Which child SAs are to be rekeyed soon after they came up, to see whether the peer takes it.

Pure but for its own memory.  The child SA that comes with a new IKE_SA is
negotiated without a key exchange of its own (RFC 7296, 1.2); whether both sides
agree on perfect forward secrecy shows at its first rekeying only, after an hour
as a rule.  So one is rekeyed at once, by the side that began the IKE_SA, or
later by the other one if that did not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .vici import text

_INITIATOR_MS = 5000
_RESPONDER_MS = 15_000

_Sa = Mapping[str, Any]


class Probes:
    """When to rekey which child SA, by the number of its IKE_SA."""

    def __init__(self) -> None:
        self._due: dict[str, tuple[int, str]] = {}
        self._done: set[str] = set()

    def forget(self) -> None:
        """Notes that charon has ended."""
        self._due, self._done = {}, set()

    def take_sas(self, sas: Iterable[_Sa], now_ms: int) -> None:
        """Takes the IKE_SAs there are."""
        untried: dict[str, tuple[int, str]] = {}
        present = set()
        for ike_sa in sas:
            number = text(ike_sa.get("uniqueid"))
            present.add(number)
            child = _find_untried(ike_sa) if number not in self._done else None
            if child is not None:
                delay_ms = _INITIATOR_MS if ike_sa.get("initiator") else _RESPONDER_MS
                since_ms, _ = self._due.get(number, (now_ms + delay_ms, child))
                untried[number] = since_ms, child
        self._due = untried
        self._done &= present

    def take_due(self, now_ms: int) -> list[str]:
        """Returns the numbers of the child SAs to rekey now, each IKE_SA's once."""
        due = [number for number, (moment_ms, _) in self._due.items() if now_ms >= moment_ms]
        self._done |= set(due)
        return [self._due.pop(number)[1] for number in due]

    def find_next_ms(self) -> int | None:
        """Returns when take_due() has something again."""
        return min((moment_ms for moment_ms, _ in self._due.values()), default=None)


def _find_untried(ike_sa: _Sa) -> str | None:
    """Returns the number of a child SA without a key exchange of its own."""
    if text(ike_sa.get("version")) != "2" or text(ike_sa.get("state")) != "ESTABLISHED":
        return None
    for child in (ike_sa.get("child-sas") or {}).values():
        if text(child.get("state")) == "INSTALLED" and not child.get("dh-group"):
            return text(child.get("uniqueid"))
    return None
