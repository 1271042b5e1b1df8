"""Node 'withheld': the containers that stay bound where they are lost, after a mass failure.

Those that have a standby from which they can serve are not among them: they need
no new place.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...services.api.node import AnyNode, Datum, Node, Read
from ..scheduler.departures import find_active
from ..scheduler.filters import find_loss
from ..scheduler.model import Place
from .en_chassis import CANDIDATE
from .en_health import HEALTH
from .tables import HAS_TURN, HOLD, MASS_FAILURE, ONLY


@dataclass(frozen=True, slots=True)
class Withheld:
    """Where a container stays, and why; 'standby' are those of its places that are held too."""

    active: str
    standby: tuple[str, ...]
    reason: str


WITHHELD: Datum[str, Withheld] = Datum("withheld")


def run(read: Read, name: str) -> Withheld | None:
    """Returns where a container is to stay, None for one that a plan is made for, or is well."""
    health = read(HEALTH, name)
    active = find_active(health.places) if health is not None else None
    if health is None or active is None:
        return None
    if read(MASS_FAILURE, active.chassis) is None:
        return None
    # One that is not registered any more is gone for good.
    if read(CANDIDATE, active.chassis) is None or read(HAS_TURN, name):
        return None
    others = [place for place in health.places if place is not active]
    if any(_is_usable(read, place) for place in others):
        return None
    words = read(HOLD, ONLY)
    reason = f"chassis {active.chassis} is dead, and many others with it; {words}"
    held = (place.chassis for place in others if read(MASS_FAILURE, place.chassis) is not None)
    return Withheld(active.chassis, tuple(sorted(held)), reason)


def _is_usable(read: Read, place: Place) -> bool:
    candidate = read(CANDIDATE, place.chassis)
    return candidate is not None and find_loss(candidate) is None and place.failure is None


NODES: tuple[AnyNode, ...] = (
    Node(WITHHELD, run, (HEALTH,), (CANDIDATE, MASS_FAILURE, HAS_TURN, HOLD)),
)
