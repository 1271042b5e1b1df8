"""What a router of OVN does with packets before it looks at its policies.

Pure.  OVN takes the longest match: at one length a connected network before a
static route, and that before a route by source; of static routes with one
prefix each gets a share of the traffic, also of one that discards
(northd/northd.c, build_route_match and build_ecmp_route_flow).  What is
discarded, or matches nothing, never gets to a policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ...lib.addresses import Subnet, overlap
from ...lib.router import Route, Router


@dataclass(frozen=True, slots=True)
class Lookup:
    """How a router finds a prefix from a route table.

    'own' are the routes that it has to have besides, so that all of it but what
    longer matches take is routed; 'length' is that of the match by then, one
    less than the prefix has if nothing helps.
    """

    own: tuple[Subnet, ...]
    length: int


def look_up(router: Router, prefix: Subnet, table: str) -> Lookup:
    """Returns how 'router' finds 'prefix' with the routes of others."""
    covering = [
        each
        for each in router.routes
        if not each.by_source and each.table == table and _covers(each.prefix, prefix)
    ]
    connected = _find_longest(net for net in router.networks if _covers(net, prefix))
    length = _find_longest(each.prefix for each in covering)
    top = max(connected, length)
    leads = top >= 0 and (
        connected == top or all(each.leads for each in covering if each.prefix.prefixlen == top)
    )
    sources = _list_discards(router, table, by_source=True)
    by_source = _find_longest(each.prefix for each in sources)
    if leads and by_source <= top:
        return Lookup((), top)
    if top < prefix.prefixlen:
        return Lookup((prefix,), prefix.prefixlen)
    # Beside a route to the same prefix ours would get a share only.
    if prefix.prefixlen < prefix.max_prefixlen and connected < top:
        return Lookup(tuple(prefix.subnets()), prefix.prefixlen + 1)
    return Lookup((), top if leads else prefix.prefixlen - 1)


def find_discards(
    router: Router, sources: Sequence[Subnet], destinations: Sequence[Subnet]
) -> Iterator[Route]:
    """Yields the routes of others that discard traffic though ours are there, all or some of it."""
    for table in router.tables:
        for destination in destinations:
            length = look_up(router, destination, table).length
            for each in _list_discards(router, table, by_source=False):
                if _covers(destination, each.prefix) and each.prefix.prefixlen > length:
                    yield each
            for each in _list_discards(router, table, by_source=True):
                met = any(overlap(each.prefix, source) for source in sources)
                if met and each.prefix.prefixlen > length:
                    yield each


def _list_discards(router: Router, table: str, by_source: bool) -> list[Route]:
    """Returns what discards; a route by source in the main table counts for every other one."""
    tables = ("", table) if by_source else (table,)
    return [
        each
        for each in router.routes
        if each.discards and each.by_source == by_source and each.table in tables
    ]


def _covers(network: Subnet, prefix: Subnet) -> bool:
    return (
        network.version == prefix.version
        and network.prefixlen <= prefix.prefixlen
        and prefix.network_address in network
    )


def _find_longest(networks: Iterable[Subnet]) -> int:
    """Returns the length of the longest, -1 for none."""
    return max((each.prefixlen for each in networks), default=-1)
