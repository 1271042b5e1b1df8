"""Where a container failed, and how long each such chassis is avoided for it.

The pause doubles with each failure.  The rows (Avoided_Chassis) are the memory;
their moments are of the wall clock and count by the monotonic one: what is left
of a pause is bounded by the pause that follows from the number of failures.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from ...lib import sb
from ...lib.moment import drop_retry
from .clock import Deadline, IsPast, Reading
from .model import UNLIMITED, Avoidance

FindOrders = Callable[[str], frozenset[str]]
"""Returns what the operator wants of the container on a chassis (orders.py)."""

FIRST_PAUSE_MS = 15_000
LONGEST_PAUSE_MS = 600_000
# How long after its pause a chassis must have run the container to be forgiven.
HEALED_AFTER_MS = 60_000
# What the column holds.
_MOST_FAILURES = 2**31 - 1
# More doublings than there are between the first pause and the longest.
_MOST_DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class ChassisLife:
    """What the health of a container depends on of a chassis.

    'is_fit' is whether it is alive and can serve a port of OVN, 'incarnation'
    the life of its svc-controller, None if it was never heard; 'weight' is the
    operator's, None if the chassis is not registered.
    """

    is_fit: bool = False
    incarnation: str | None = None
    weight: int | None = None


class Failures:
    """The failures of one container during one look at it, by chassis."""

    def __init__(
        self,
        rows: Iterable[sb.AvoidedChassis],
        chassis: Mapping[str, ChassisLife],
        reading: Reading,
        is_past: IsPast,
        find_orders: FindOrders,
    ) -> None:
        self._find_orders = find_orders
        self._chassis = chassis
        self._reading = reading
        self._is_past = is_past
        self._known = {row.chassis: self._recall(row) for row in rows if self._is_same(row)}

    def find_reason(self, chassis: str) -> str | None:
        """Returns why it failed there last, None if nothing is remembered."""
        known = self._known.get(chassis)
        return known[0].reason if known is not None else None

    def note(self, chassis: str, reason: str) -> None:
        """Counts one more failure, unless the pause of the last one is not over."""
        known = self._known.get(chassis)
        if known is not None and not self._is_past(known[1].monotonic_ms):
            return
        failures = min(known[0].failures + 1, _MOST_FAILURES) if known is not None else 1
        pause_ms = _find_pause(failures)
        end = self._reading.find_deadline(self._reading.wall_ms + pause_ms, pause_ms)
        life = self._chassis[chassis]
        avoidance = Avoidance(
            reason=drop_retry(reason),
            failures=failures,
            since=self._reading.wall_ms,
            retry_at=end.wall_ms,
            incarnation=life.incarnation or "",
            weight=UNLIMITED if life.weight is None else life.weight,
            orders=tuple(sorted(self._find_orders(chassis))),
        )
        self._known[chassis] = avoidance, end

    def find_kept(self, well: Collection[str]) -> dict[str, Avoidance]:
        """Returns the failures that are not of long ago; 'well' are the chassis that run it."""
        kept = {}
        for chassis, (each, end) in sorted(self._known.items()):
            kept_ms = HEALED_AFTER_MS if chassis in well else LONGEST_PAUSE_MS
            if not self._is_past(end.monotonic_ms + kept_ms):
                kept[chassis] = each
        return kept

    def is_pending(self, chassis: str) -> bool:
        """Whether the pause of a chassis on which it failed is not over."""
        return not self._is_past(self._known[chassis][1].monotonic_ms)

    def _is_same(self, row: sb.AvoidedChassis) -> bool:
        """Whether it failed on this chassis as it is, under all orders that there are."""
        life = self._chassis[row.chassis]
        same = life.incarnation in (None, row.incarnation) and life.weight in (None, row.weight)
        return same and self._find_orders(row.chassis) <= set(row.orders)

    def _recall(self, row: sb.AvoidedChassis) -> tuple[Avoidance, Deadline]:
        failures = max(1, min(row.failures, _MOST_FAILURES))
        end = self._reading.find_deadline(row.retry_at, _find_pause(failures))
        avoidance = Avoidance(
            reason=row.reason,
            failures=failures,
            since=row.since,
            retry_at=end.wall_ms,
            incarnation=row.incarnation,
            weight=row.weight,
            # One that was taken back and is given again is another one.
            orders=tuple(sorted(self._find_orders(row.chassis))),
        )
        return avoidance, end


def _find_pause(failures: int) -> int:
    """Returns for how many ms a chassis is avoided after so many failures, at least 1."""
    return min(FIRST_PAUSE_MS << min(failures - 1, _MOST_DOUBLINGS), LONGEST_PAUSE_MS)
