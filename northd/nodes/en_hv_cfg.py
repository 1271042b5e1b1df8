"""Node 'hv_cfg': the nb_cfg that every chassis that is alive has reached.

Also one that is unfit, as by an ovn-controller that hangs: its guests send, and
what is new does not guard them yet.
"""

from __future__ import annotations

from ...lib.sequence import find_first
from ...services.api.node import AnyNode, Datum, Node, Read, Tally
from .tables import CHASSIS_CFG, ROOT, VERDICT

_REACHED: Datum[str, int] = Datum("reached_cfg")
_REACHED_BY: Datum[int, int] = Datum("chassis by reached_cfg")
HV_CFG: Datum[str, int] = Datum("hv_cfg")


def find_reached(read: Read, chassis: str) -> int | None:
    """Returns what a chassis has reached, None for one that nobody waits for."""
    verdict = read(VERDICT, chassis)
    if verdict is None or not verdict.alive:
        return None
    return read(CHASSIS_CFG, chassis)


def find_lowest(read: Read, _key: str) -> int | None:
    """Returns the lowest number; None while no chassis is alive."""
    return find_first(read.all(_REACHED_BY))


NODES: tuple[AnyNode, ...] = (
    Node(_REACHED, find_reached, (CHASSIS_CFG,), (VERDICT,)),
    Tally(_REACHED_BY, _REACHED, lambda _chassis, number: ((number, 1),)),
    Node(HV_CFG, find_lowest, (ROOT,), (_REACHED_BY,)),
)
