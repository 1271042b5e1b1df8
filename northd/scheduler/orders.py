"""What an operator orders of a container on a chassis where it may have failed before.

An order to run or to be tried there is followed at once, though the chassis is
avoided: a failure counts only while there is no order that it does not know of.
The orders under which a container failed are written beside the failure, so
that each is followed once, whichever svc-northd it is that sees it.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...lib import nb
from ...lib.placement import EVERYWHERE


def find_orders(wish: nb.ContainerWish | None, chassis: str) -> frozenset[str]:
    """Returns what the operator wants of a container on 'chassis', a word for each order."""
    return frozenset(_list_orders(wish, chassis)) if wish is not None else frozenset()


def _list_orders(wish: nb.ContainerWish, chassis: str) -> Iterator[str]:
    if wish.requested_chassis == chassis:
        yield "pin"
    if wish.migrate_chassis == chassis and wish.migrate_cfg:
        yield f"migrate {wish.migrate_cfg}"
    for key, word in ((EVERYWHERE, "forgive all"), (chassis, "forgive")):
        if key in wish.forgive_cfg:
            yield f"{word} {wish.forgive_cfg[key]}"
