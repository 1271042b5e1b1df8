"""Nodes 'silent_places' and 'withheld': what stays bound to chassis that went silent with others.

A container that is lost there stays, unless it has a standby from which it can
serve: that one needs no new place to serve from.  As standbys those places stay
as well while they are held, so that none is built elsewhere in their stead.
"""

from __future__ import annotations

from collections.abc import Mapping
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
# Of the chassis that a container is bound to those of a mass failure, with its state.
SILENT_PLACES: Datum[str, Mapping[str, str]] = Datum("silent_places")


def find_silent_places(read: Read, name: str) -> Mapping[str, str] | None:
    """Returns the chassis of a mass failure that a container is bound to; None for none."""
    health = read(HEALTH, name)
    found: dict[str, str] = {}
    for place in health.places if health is not None else ():
        state = read(MASS_FAILURE, place.chassis)
        candidate = read(CANDIDATE, place.chassis) if state is not None else None
        # One that is not registered any more is gone for good.
        if state is not None and candidate is not None and not candidate.alive:
            found[place.chassis] = state
    return found or None


def find_held(read: Read, name: str) -> frozenset[str]:
    """Returns the chassis that a container is bound to and that are held."""
    silent = read(SILENT_PLACES, name) or {}
    return frozenset(chassis for chassis, state in silent.items() if state == HELD)


def run(read: Read, name: str) -> Withheld | None:
    """Returns where a container is to stay, None for one that a plan is made for, or is well."""
    silent, health = read(SILENT_PLACES, name), read(HEALTH, name)
    active = find_active(health.places) if health is not None else None
    if silent is None or health is None or active is None:
        return None
    if active.chassis not in silent or read(HAS_TURN, name):
        return None
    others = [place for place in health.places if place is not active]
    if any(_is_usable(read, place) for place in others):
        return None
    words = read(HOLD, ONLY)
    reason = f"chassis {active.chassis} is dead, and many others with it; {words}"
    standby = tuple(sorted(find_held(read, name) - {active.chassis}))
    return Withheld(active.chassis, standby, reason)


def _is_usable(read: Read, place: Place) -> bool:
    candidate = read(CANDIDATE, place.chassis)
    return candidate is not None and find_loss(candidate) is None and place.failure is None


NODES: tuple[AnyNode, ...] = (
    Node(SILENT_PLACES, find_silent_places, (HEALTH,), (CANDIDATE, MASS_FAILURE)),
    Node(WITHHELD, run, (SILENT_PLACES,), (HEALTH, CANDIDATE, HAS_TURN, HOLD)),
)
