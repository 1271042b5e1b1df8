"""What a router of OVN does with packets before it looks at its policies.

Pure.  OVN takes the longest match: at one length a connected network before a
static route, and that before a route by source; of static routes with one
prefix each gets a share of the traffic, also of one that discards
(northd/northd.c, build_route_match and build_ecmp_route_flow).  What is
discarded, or matches nothing, never gets to a policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...lib.addresses import Prefix, Subnet, overlap
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


class Routing:
    """The routes of others on a router by prefix: a look-up costs the same at any number."""

    def __init__(self, router: Router) -> None:
        self._tables = router.tables
        self._connected = {_first(network) for network in router.networks}
        self._static: dict[tuple[str, Prefix], list[Route]] = {}
        self._discards: dict[str, list[Route]] = {}
        self._by_source: dict[str, list[Route]] = {}
        # A look-up tries no length that no route has: most routers have routes of one or two.
        lengths = {each[1] for each in self._connected}
        for each in router.routes:
            if not each.by_source:
                self._static.setdefault((each.table, _first(each.prefix)), []).append(each)
                lengths.add(each.prefix.prefixlen)
            if each.discards:
                known = self._by_source if each.by_source else self._discards
                known.setdefault(each.table, []).append(each)
        self._lengths = sorted(lengths, reverse=True)

    def look_up(self, prefix: Subnet, table: str) -> Lookup:
        """Returns how 'prefix' is found with the routes of others."""
        connected, top, found = self._find_match(prefix, table)
        leads = top >= 0 and (connected or all(each.leads for each in found))
        sources = self._list_by_source(table)
        by_source = max((each.prefix.prefixlen for each in sources), default=-1)
        if leads and by_source <= top:
            return Lookup((), top)
        if top < prefix.prefixlen:
            return Lookup((prefix,), prefix.prefixlen)
        # Beside a route to the same prefix ours would get a share only.
        if prefix.prefixlen < prefix.max_prefixlen and not connected:
            return Lookup(tuple(prefix.subnets()), prefix.prefixlen + 1)
        return Lookup((), top if leads else prefix.prefixlen - 1)

    def find_discards(
        self, sources: Sequence[Subnet], destinations: Sequence[Subnet]
    ) -> Iterator[Route]:
        """Yields what discards traffic, all or some of it, though our routes are there."""
        for table in self._tables:
            discards, by_source = self._discards.get(table, []), self._list_by_source(table)
            if not (discards or by_source):
                continue
            met = [each for each in by_source if any(overlap(each.prefix, one) for one in sources)]
            for destination in destinations:
                length = self.look_up(destination, table).length
                for each in discards:
                    if _covers(destination, each.prefix) and each.prefix.prefixlen > length:
                        yield each
                yield from (each for each in met if each.prefix.prefixlen > length)

    def _find_match(self, prefix: Subnet, table: str) -> tuple[bool, int, list[Route]]:
        """Returns whether the longest match is a connected network, its length, and the routes."""
        version, longest, bits = _first(prefix)
        for length in self._lengths:
            if length > longest:
                continue
            around = version, length, bits >> (longest - length)
            connected, found = around in self._connected, self._static.get((table, around), [])
            if connected or found:
                return connected, length, found
        return False, -1, []

    def _list_by_source(self, table: str) -> list[Route]:
        """Returns what discards by source; a route in the main table counts for every other one."""
        own = self._by_source.get(table, []) if table else []
        return [*self._by_source.get("", []), *own]


def _first(network: Subnet) -> Prefix:
    bits = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
    return network.version, network.prefixlen, bits


def _covers(network: Subnet, prefix: Subnet) -> bool:
    return (
        network.version == prefix.version
        and network.prefixlen <= prefix.prefixlen
        and prefix.network_address in network
    )
