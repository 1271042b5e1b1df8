"""Nodes 'held_places' and 'withheld': what stays bound to chassis that went silent with others.

A container that is lost there stays, unless it has a standby from which it can
serve: that one needs no new place to serve from.  As standbys those places stay
as well while they are held, so that none is built elsewhere in their stead.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...services.api.node import AnyNode, Datum, Node, Read
from ..mass_failure import HELD
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
HELD_PLACES: Datum[str, frozenset[str]] = Datum("held_places")


def find_held_places(read: Read, name: str) -> frozenset[str] | None:
    """Returns the chassis that a container is bound to, and that are held; None for none."""
    health = read(HEALTH, name)
    bound = [place.chassis for place in health.places] if health is not None else []
    held = (each for each in bound if read(MASS_FAILURE, each) == HELD)
    return frozenset(each for each in held if read(CANDIDATE, each) is not None) or None


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
    held = read(HELD_PLACES, name) or frozenset()
    return Withheld(active.chassis, tuple(sorted(held - {active.chassis})), reason)


def _is_usable(read: Read, place: Place) -> bool:
    candidate = read(CANDIDATE, place.chassis)
    return candidate is not None and find_loss(candidate) is None and place.failure is None


NODES: tuple[AnyNode, ...] = (
    Node(HELD_PLACES, find_held_places, (HEALTH,), (CANDIDATE, MASS_FAILURE)),
    Node(WITHHELD, run, (HEALTH,), (CANDIDATE, MASS_FAILURE, HAS_TURN, HOLD, HELD_PLACES)),
)
