"""Node 'address_wait': why a container does not get an address outside at this moment.

Whoever has an address in OVN_Northbound leaves it first, so that it is never of
two, whatever becomes of the transactions.  Until then a container keeps all
that it has.  Those that wait for each other in a ring leave what they have and
then get what they want.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from ...services.api.compile import ADDRESS_HOLDERS, make_container_name
from ...services.api.node import AnyNode, Datum, Index, Node, Read
from .en_container import CONTAINER
from .type_data import TypeData

ADDRESS_WAIT: Datum[str, str] = Datum("address_wait")
# Of an address that somebody has: the containers of the units that want it and have it not, by
# name; and what each of those wants.
_SOUGHT: Datum[str, tuple[str, ...]] = Datum("address_sought")
_SOUGHT_BY_CONTAINER: Datum[str, AbstractSet[str]] = Datum("sought addresses by container")
# A longer ring than this waits; see en_address.py.
_RING_MAX = 32


def make_nodes(types: Sequence[TypeData]) -> tuple[AnyNode, ...]:
    """Returns the nodes; most containers seek nothing that another one has."""
    claims = tuple(each.claims for each in types)
    return (
        Node(_SOUGHT, _make_find_sought(types), (ADDRESS_HOLDERS,), claims),
        Index(_SOUGHT_BY_CONTAINER, _SOUGHT, lambda _address, names: names),
        Node(ADDRESS_WAIT, find_wait, (_SOUGHT_BY_CONTAINER,), (CONTAINER, ADDRESS_HOLDERS)),
    )


def _make_find_sought(types: Sequence[TypeData]) -> Callable[[Read, str], tuple[str, ...] | None]:
    def run(read: Read, address: str) -> tuple[str, ...] | None:
        holders = read(ADDRESS_HOLDERS, address) or frozenset[str]()
        names = {
            make_container_name(each.half.prefix, unit)
            for each in types
            for unit in read(each.claims, address) or ()
        }
        return tuple(sorted(names - holders)) or None

    return run


def find_wait(read: Read, name: str) -> str | None:
    """Returns who has an address that a container is to have, unless they exchange them."""
    for address in _find_addresses(read, name):
        for holder in sorted(find_others(read, name, address)):
            if not _waits_for(read, holder, name):
                return f"external address {address} is still that of container {holder}"
    return None


def find_others(read: Read, name: str, address: str) -> AbstractSet[str]:
    """Returns the containers that have an address which 'name' does not have yet."""
    holders = read(ADDRESS_HOLDERS, address) or frozenset()
    return frozenset() if name in holders else holders


def _find_addresses(read: Read, name: str) -> list[str]:
    container = read(CONTAINER, name)
    if container is None or container.spec is None:
        return []
    return sorted({each.address for each in container.spec.addresses})


def _waits_for(read: Read, first: str, name: str) -> bool:
    """Returns whether 'first' waits for 'name', be it through others."""
    pending, seen = [first], {first}
    while pending and len(seen) <= _RING_MAX:
        waiting = pending.pop()
        for address in _find_addresses(read, waiting):
            others = find_others(read, waiting, address)
            if name in others:
                return True
            pending += sorted(others - seen)
            seen |= others
    return False
