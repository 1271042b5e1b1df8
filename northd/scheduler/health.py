"""Node 'health': how each container is where it is bound, and where it failed.

A container that is unwell has its time: the chassis restarts it in place.  When
that time is over it failed there, and the chassis is avoided for it with a
pause that doubles with each failure.  What is remembered stands in the
southbound (Container_Binding:unwell_since, Avoided_Chassis), by svc-northd's
own clock; a time that lies ahead of that clock counts as this moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from ...lib import nb, sb
from ...lib.moment import drop_retry
from .en_container import Containers
from .en_options import Options
from .liveness import Verdict
from .patience import Spot
from .model import ACTIVE, UNLIMITED, Avoidance, Candidate, Place

# A step that fails once is tried again by the chassis within this time.
ERROR_PATIENCE_MS = 2000
FIRST_PAUSE_MS = 15_000
LONGEST_PAUSE_MS = 600_000
# How long after its pause a chassis must have run the container to be forgiven.
_HEALED_AFTER_MS = 60_000


@dataclass(frozen=True, slots=True)
class Health:
    """Bindings by container; by spot, since when a container is unwell and where to avoid it.

    'avoided' are the rows that should be there; those whose 'retry_at' has
    come are kept only to remember how often it failed.  At 'next_ms' this may
    change though no row did.
    """

    places: Mapping[str, tuple[Place, ...]]
    unwell: Mapping[Spot, int]
    avoided: Mapping[Spot, Avoidance]
    next_ms: int | None


def run(
    containers: Containers,
    chassis: tuple[Candidate, ...],
    verdicts: Mapping[str, Verdict],
    bindings: Mapping[UUID, sb.ContainerBinding],
    ports: Mapping[UUID, sb.PortBinding],
    avoided: Mapping[UUID, sb.AvoidedChassis],
    reported: Mapping[UUID, nb.ServiceContainer],
    options: Options,
    patience: Mapping[Spot, int] | None,
    clock: int | None,
) -> Health:
    """Returns how containers are at 'clock' (ms since the epoch).

    'patience' says from when on the time of each counts (patience.py).
    """
    judge = _Judge(chassis, verdicts, options, patience or {}, clock or 0)
    up = {(row.container, row.chassis) for row in ports.values() if row.up}
    for row in avoided.values():
        if row.container in containers.by_name:
            judge.recall(row)
    for binding in sorted(bindings.values(), key=_rank_active_first):
        if binding.container in containers.by_name:
            judge.look(binding, (binding.container, binding.chassis) in up)
    judge.assume(reported.values())
    return judge.conclude()


def _rank_active_first(row: sb.ContainerBinding) -> tuple[bool, str, str]:
    """Returns the order in which bindings are looked at: standbys are held against active ones."""
    return row.role != ACTIVE, row.container, row.chassis


class _Judge:
    """Collects what is known; one for each computation."""

    def __init__(
        self,
        chassis: Iterable[Candidate],
        verdicts: Mapping[str, Verdict],
        options: Options,
        patience: Mapping[Spot, int],
        now: int,
    ) -> None:
        self._chassis = {each.name: each for each in chassis}
        self._verdicts = verdicts
        self._timeout_ms = options.container_start_timeout_ms
        self._patience = patience
        self._now = now
        self._places: dict[str, list[Place]] = {}
        self._unwell: dict[Spot, int] = {}
        self._avoided: dict[Spot, Avoidance] = {}
        self._well: set[Spot] = set()
        self._moments: set[int] = set()
        # Containers whose active binding is not as it should be: a chassis refused that.
        self._outdated: set[str] = set()

    def recall(self, row: sb.AvoidedChassis) -> None:
        """Takes over a failure of before, unless its chassis has changed since."""
        verdict = self._verdicts.get(row.chassis)
        candidate = self._chassis.get(row.chassis)
        restarted = verdict is not None and verdict.incarnation != row.incarnation
        reweighed = candidate is not None and candidate.weight != row.weight
        if restarted or reweighed:
            return
        retry_at = min(row.retry_at, self._now + LONGEST_PAUSE_MS)
        self._avoided[row.container, row.chassis] = Avoidance(
            row.reason, retry_at, row.failures, row.since, row.incarnation, row.weight
        )

    def look(self, row: sb.ContainerBinding, port_up: bool) -> None:
        """Notes how a container is on a chassis that it is bound to."""
        spot = (row.container, row.chassis)
        built = row.reached_generation > 0
        running = built and row.status_code == "running"
        failure = None
        if row.role == ACTIVE and running and row.reached_generation < row.generation:
            self._outdated.add(row.container)
        if running and (row.role != ACTIVE or port_up):
            self._well.add(spot)
        else:
            failure = self._find_failure(row, spot, running)
        place = Place(
            chassis=row.chassis,
            role=row.role,
            ready=running and self._is_current(row),
            serving=row.role == ACTIVE and built and port_up,
            failure=failure,
        )
        self._places.setdefault(row.container, []).append(place)

    def _is_current(self, row: sb.ContainerBinding) -> bool:
        """Whether a container is as it should be, or no older than the active one is."""
        if row.reached_generation == row.generation:
            return True
        return row.role != ACTIVE and row.container in self._outdated

    def assume(self, reported: Iterable[nb.ServiceContainer]) -> None:
        """Takes the northbound's last word on a container of which the southbound knows nothing.

        So it is when the southbound's file was lost.
        """
        for row in reported:
            if row.chassis and row.name not in self._places:
                self._places[row.name] = [Place(row.chassis, ready=False, serving=False)]

    def conclude(self) -> Health:
        """Returns everything, failures of long ago forgotten."""
        avoided = dict(self._remember())
        future = [moment for moment in self._moments if moment > self._now]
        return Health(
            {name: tuple(places) for name, places in sorted(self._places.items())},
            self._unwell,
            avoided,
            min(future, default=None),
        )

    def _find_failure(self, row: sb.ContainerBinding, spot: Spot, running: bool) -> str | None:
        """Returns why a container that is unwell cannot go on, once its time is over."""
        verdict = self._verdicts.get(row.chassis)
        if verdict is None or not verdict.alive or verdict.ovn_problem:
            # Its time begins when the chassis is back.
            return None
        since = min(row.unwell_since or self._now, self._now)
        self._unwell[spot] = since
        since = max(since, min(self._patience.get(spot, 0), self._now))
        patience_ms = ERROR_PATIENCE_MS if row.status_code == "error" else self._timeout_ms
        patience_ms = min(patience_ms, self._timeout_ms)
        if self._now < since + patience_ms:
            self._moments.add(since + patience_ms)
            return None
        reason = _describe(row, running, self._timeout_ms)
        self._note_failure(spot, reason, verdict)
        return reason

    def _note_failure(self, spot: Spot, reason: str, verdict: Verdict) -> None:
        before = self._avoided.get(spot)
        if before is not None and self._now < before.retry_at:
            return
        failures = before.failures + 1 if before is not None else 1
        pause_ms = min(FIRST_PAUSE_MS << min(failures - 1, 10), LONGEST_PAUSE_MS)
        candidate = self._chassis.get(spot[1])
        self._avoided[spot] = Avoidance(
            reason=drop_retry(reason),
            failures=failures,
            since=self._now,
            retry_at=self._now + pause_ms,
            incarnation=verdict.incarnation,
            weight=candidate.weight if candidate is not None else UNLIMITED,
        )

    def _remember(self) -> Iterator[tuple[Spot, Avoidance]]:
        for spot, each in sorted(self._avoided.items()):
            kept_ms = _HEALED_AFTER_MS if spot in self._well else LONGEST_PAUSE_MS
            if self._now < each.retry_at + kept_ms:
                self._moments |= {each.retry_at, each.retry_at + kept_ms}
                yield spot, each


def _describe(row: sb.ContainerBinding, running: bool, timeout_ms: int) -> str:
    """Returns what went wrong with a container that had its time."""
    if row.status_code == "error":
        return row.status_message or "error"
    time = f"{timeout_ms / 1000:g} s"
    if running:
        return f"OVN has not installed its port after {time}"
    if row.status_code is None:
        return f"the chassis has not taken it up after {time}"
    said = f" ({row.status_message})" if row.status_message else ""
    return f"{row.status_code} after {time}{said}"
