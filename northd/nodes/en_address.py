"""Nodes of the addresses outside: each is of one container, whichever types contend for it.

Of containers that want one address the one that has it in OVN_Northbound is to
have it, or else the first by name; the others are as if their type could not
compile them, and say so.  What such a container has it keeps, since it goes on
as it was.

So a container gets what another one has only if that one leaves it, and it
leaves it only if it gets what it wants instead.  Whoever waits for one that
stays does not get it, through however many others; those that wait for each
other in a ring, of no more than _WAITING_MAX, exchange what they have
(en_address_wait.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from uuid import UUID

from ...lib.addresses import canonical_address, parse_address
from ...lib.errors import ConfigError
from ...lib.router import address_problem
from ...services.api.compile import (
    ADDRESS_HOLDERS,
    ADDRESS_PROBLEM,
    LAST,
    OPERATOR_CONTAINER,
    ROUTER,
    AddressSpec,
    Compiled,
    Unit,
    make_container_name,
)
from ...services.api.node import AnyNode, Datum, Index, Node, Read
from ...services.api.routers import tell_foreign
from ..ovn import rows as ovn
from .doubt import find_doubt, find_sources
from .tables import NAT, find_rows
from .type_data import TypeData

_NATS_BY_ADDRESS: Datum[str, AbstractSet[UUID]] = Datum("ovn.NAT of ours by address")
# By address: the container that is to have it, of several that want it.
_OWNER: Datum[str, str] = Datum("address_owner")
# Each of them reads the others, so that a long row of them would be read over and over.
_WAITING_MAX = 32


def find_holders(read: Read, address: str) -> frozenset[str] | None:
    """Returns the containers that have an address in OVN_Northbound."""
    rows = find_rows(read, NAT, read(_NATS_BY_ADDRESS, address))
    keys = (ovn.find_key(row.external_ids) for row in rows)
    return frozenset(key.partition("/")[0] for key in keys if key) or None


def _find_own_address(_uuid: UUID, row: ovn.NAT) -> Iterable[str]:
    return () if ovn.find_key(row.external_ids) is None else (canonical_address(row.external_ip),)


HOLDER_NODES: tuple[AnyNode, ...] = (
    Index(_NATS_BY_ADDRESS, NAT, _find_own_address),
    Node(ADDRESS_HOLDERS, find_holders, (_NATS_BY_ADDRESS,), (NAT,)),
)


def make_compile(each: TypeData) -> Callable[[Read, Unit], Compiled]:
    """Returns the type's compile(), which refuses addresses that its router cannot give.

    Addresses are in canonical form from there on.
    """

    def run(read: Read, unit: Unit) -> Compiled:
        compiled: Compiled = each.half.compile(read, unit)
        container = compiled.container
        if container is None or not container.addresses:
            return compiled
        specs = tuple(_make_canonical(spec) for spec in container.addresses)
        name = make_container_name(each.half.prefix, unit)
        for spec in specs:
            router = read(ROUTER, spec.router)
            # What it has already the type itself may tell of.
            if router is not None and name not in (read(ADDRESS_HOLDERS, spec.address) or ()):
                problem = address_problem(router, spec.address) or tell_foreign(
                    read, router, spec.address
                )
                if problem is not None:
                    raise ConfigError(problem)
        if specs == container.addresses:
            return compiled
        return replace(compiled, container=replace(container, addresses=specs))

    return run


def _make_canonical(spec: AddressSpec) -> AddressSpec:
    parse_address(spec.address)  # raises, if it is none
    address = canonical_address(spec.address)
    return spec if address == spec.address else replace(spec, address=address)


def make_nodes(types: Sequence[TypeData]) -> tuple[AnyNode, ...]:
    """Returns the nodes from what each type compiled to what of it counts."""
    compiled = tuple(each.half.compiled for each in types)
    claims = tuple(each.claims for each in types)
    units = tuple(each.units for each in types)
    contested = tuple(each.contested for each in types)
    granted = tuple(each.granted for each in types)
    sources = tuple(dict.fromkeys(datum for each in types for datum in find_sources(each)))
    return (
        *(Index(each.claims, each.half.compiled, _list_addresses) for each in types),
        *(Index(each.speakers, each.half.compiled, _list_remotes) for each in types),
        Node(
            _OWNER,
            _make_find_owner(types),
            (*claims, ADDRESS_HOLDERS),
            (*compiled, *units, LAST),
        ),
        *(_make_contested(types, each) for each in types),
        *(
            Node(
                each.granted,
                _make_find_granted(types, each),
                (each.contested,),
                (ADDRESS_HOLDERS, *contested, *units, LAST, OPERATOR_CONTAINER, *sources),
            )
            for each in types
        ),
        Node(ADDRESS_PROBLEM, _make_find_problem(types), units, (*granted, *compiled)),
    )


def _list_addresses(_unit: Unit, compiled: Compiled) -> Iterable[str]:
    return _sort_addresses(compiled)


def _make_find_owner(types: Sequence[TypeData]) -> Callable[[Read, str], str | None]:
    def run(read: Read, address: str) -> str | None:
        """Returns the container that is to have an address, None if only one wants it."""
        holders = read(ADDRESS_HOLDERS, address) or frozenset()
        names = {
            make_container_name(each.half.prefix, unit)
            for each in types
            for unit in read(each.claims, address) or ()
        }
        names |= {
            name
            for name in holders
            for each, unit in _find_units(read, types, name)
            if read.find_problem(each.half.compiled, unit) is not None
        }
        if len(names) < 2:
            return None
        # The row that says who has it may be gone by somebody else's hand.
        return min(
            names,
            key=lambda name: (name not in holders, read(LAST, name) is None, name),
        )

    return run


def _find_units(
    read: Read, types: Sequence[TypeData], name: str
) -> Iterator[tuple[TypeData, Unit]]:
    for each in types:
        unit = each.find_unit(read, name)
        if unit is not None:
            yield each, unit


def _make_contested(types: Sequence[TypeData], each: TypeData) -> AnyNode:
    speakers = tuple(other.speakers for other in types)

    def run(read: Read, unit: Unit) -> Compiled | None:
        """Returns what was compiled, unless another container is to have an address of it."""
        compiled = read(each.half.compiled, unit)
        name = make_container_name(each.half.prefix, unit)
        for address in _sort_addresses(compiled):
            owner = read(_OWNER, address)
            if owner is not None and owner != name:
                raise ConfigError(_tell_owner(read, address, owner))
        for spec in _list_new(read, name, compiled):
            speaker = _find_speaker(read, types, name, spec)
            if speaker is not None:
                raise ConfigError(
                    f"external address {spec.address} is what container {speaker} speaks with"
                )
        return compiled

    return Node(each.contested, run, (each.half.compiled,), (_OWNER, ADDRESS_HOLDERS, *speakers))


def _make_find_granted(
    types: Sequence[TypeData], each: TypeData
) -> Callable[[Read, Unit], Compiled | None]:
    def run(read: Read, unit: Unit) -> Compiled | None:
        """Returns what was compiled, unless another container keeps an address of it."""
        compiled = read(each.contested, unit)
        seen = {make_container_name(each.half.prefix, unit)}
        for address in _sort_addresses(compiled):
            waiting = [address]
            first: str | None = None
            while waiting:
                for holder in sorted((read(ADDRESS_HOLDERS, waiting.pop()) or set()) - seen):
                    first = first or holder
                    wanted = _find_wanted(read, types, holder)
                    if wanted is None or len(seen) > _WAITING_MAX:
                        raise ConfigError(_tell_used(address, first))
                    seen.add(holder)
                    waiting += wanted
        return compiled

    return run


def _find_wanted(read: Read, types: Sequence[TypeData], name: str) -> list[str] | None:
    """Returns the addresses that a container is to have; None if it goes on as it was."""
    found = list(_find_units(read, types, name))
    if not found:
        last = read(LAST, name)
        return [] if last is None or find_doubt(read, name, last, types) is None else None
    wanted: list[str] = []
    for each, unit in found:
        if read.find_problem(each.contested, unit) is not None:
            return None
        wanted += _sort_addresses(read(each.contested, unit))
    return wanted


def _make_find_problem(types: Sequence[TypeData]) -> Callable[[Read, str], str | None]:
    def run(read: Read, name: str) -> str | None:
        """Returns why a container cannot have an address that its rows ask for."""
        for each in types:
            unit = each.find_unit(read, name)
            if unit is not None and read.find_problem(each.half.compiled, unit) is None:
                return read.find_problem(each.granted, unit)
        return None

    return run


def _list_remotes(_unit: Unit, compiled: Compiled) -> Iterable[tuple[UUID, str]]:
    specs = compiled.container.remotes if compiled.container is not None else ()
    return {(each.router, canonical_address(each.address)) for each in specs}


def _list_new(read: Read, name: str, compiled: Compiled | None) -> list[AddressSpec]:
    """Returns the addresses that a container is to have and does not have yet."""
    specs = compiled.container.addresses if compiled is not None and compiled.container else ()
    return [each for each in specs if name not in (read(ADDRESS_HOLDERS, each.address) or ())]


def _find_speaker(
    read: Read, types: Sequence[TypeData], name: str, spec: AddressSpec
) -> str | None:
    """Returns the first of the other containers that speak with an address through its router."""
    speakers = (
        make_container_name(each.half.prefix, unit)
        for each in types
        for unit in read(each.speakers, (spec.router, spec.address)) or ()
    )
    return min((each for each in speakers if each != name), default=None)


def _sort_addresses(compiled: Compiled | None) -> list[str]:
    specs = compiled.container.addresses if compiled is not None and compiled.container else ()
    return sorted({each.address for each in specs})


def _tell_owner(read: Read, address: str, owner: str) -> str:
    if owner in (read(ADDRESS_HOLDERS, address) or ()):
        return _tell_used(address, owner)
    return f"external address {address} is wanted by container {owner} too, which comes first"


def _tell_used(address: str, name: str) -> str:
    return f"external address {address} is already used by container {name}"
