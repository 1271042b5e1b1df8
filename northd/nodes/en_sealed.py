"""Node 'sealed': the secrets of each container, sealed for each chassis that it is placed on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from ...lib import sealing
from ...lib.errors import ConfigError
from ...services.api.node import AnyNode, Datum, Index, Node, Read
from ..scheduler.build_queue import Spot
from .en_chassis import PUBLIC_KEY
from .en_container import CONTAINER
from .en_options import SEAL_SEED
from .en_placement import PLACEMENT, Placement
from .tables import ONLY

_PLACED: Datum[Spot, AbstractSet[str]] = Datum("placed")
SEALED: Datum[Spot, Mapping[str, str]] = Datum("sealed")


def run(read: Read, spot: Spot) -> Mapping[str, str] | None:
    """Returns the sealed secrets by name; None if nothing can be sealed for the chassis."""
    name, chassis = spot
    container = read(CONTAINER, name)
    if container is None or container.spec is None:
        return None
    if not container.spec.secrets:
        return {}
    key, seed = read(PUBLIC_KEY, chassis), read(SEAL_SEED, ONLY)
    if key is None or seed is None:
        return None
    return seal_all({each.name: each.value for each in container.spec.secrets}, key, seed)


def seal_all(secrets: Mapping[str, str], key: str, seed: str) -> Mapping[str, str] | None:
    """Returns secrets sealed to a public key, None if nothing can be sealed to it."""
    try:
        return {
            name: sealing.seal(value, key, seed, name) for name, value in sorted(secrets.items())
        }
    except ConfigError:
        return None


def _find_spots(name: str, placement: Placement) -> Iterable[Spot]:
    return ((name, chassis) for chassis, _ in placement.list_places())


NODES: tuple[AnyNode, ...] = (
    Index(_PLACED, PLACEMENT, _find_spots),
    Node(SEALED, run, (_PLACED,), (CONTAINER, PUBLIC_KEY, SEAL_SEED)),
)
