"""Who else in OVN_Northbound answers for an address on a network outside; read only.

svc-northd refuses the same afterwards (services/api/routers.py), but for what ports of
switches have, which it does not replicate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ...lib.addresses import canonical_address, quote
from ...lib.balancer import parse_endpoint
from ...lib.router import Router, is_ours
from ..context import Context
from ..db.rpc import Client
from .lookup import Json, ask, members, open_ovn, select
from .router import read_router


def find_address_user(context: Context, router: Router, address: str) -> str | None:
    """Returns a sentence if somebody else has 'address' where 'router' would answer for it."""
    subject = f"external address {address}"
    client = open_ovn(context, subject)
    try:
        words = _Search(client, router, canonical_address(address), subject).find()
    finally:
        client.close()
    return f"{subject} is {words}" if words is not None else None


class _Search:
    """A search for one address."""

    def __init__(self, client: Client, router: Router, address: str, subject: str) -> None:
        self._client = client
        self._router = router
        self._address = address
        self._subject = subject
        self._outside = {each for port in router.gateway_ports for each in port.networks}

    def find(self) -> str | None:
        """Returns who has the address, in words."""
        return self._find_router() or self._find_balancer() or self._find_port()

    def _ask(self, selects: Sequence[Json]) -> list[Json]:
        return ask(self._client, list(selects), self._subject) if selects else []

    def _find_router(self) -> str | None:
        lengths = {each.prefixlen for each in self._outside}
        texts = [f"{self._address}/{length}" for length in sorted(lengths)]
        columns = ("_uuid", "external_ids")
        by_port = [
            select("Logical_Router_Port", [["networks", "includes", t]], columns) for t in texts
        ]
        by_nat = [select("NAT", [["external_ip", "==", self._address]], columns)]
        holders = [
            *self._list_holders("Logical_Router", "ports", self._list_foreign(by_port)),
            *self._list_holders("Logical_Router", "nat", self._list_foreign(by_nat)),
        ]
        others = (row for row in holders if row["_uuid"][1] != str(self._router.uuid))
        return next((f"used by router {name}" for name in self._list_outside(others)), None)

    def _find_balancer(self) -> str | None:
        rows = self._ask([select("Load_Balancer", (), ("_uuid", "vips"))])
        found = [row["_uuid"] for row in rows if self._is_balanced(row)]
        groups = self._list_holders("Load_Balancer_Group", "load_balancer", found)
        group_uuids = [row["_uuid"] for row in groups]
        holders = [
            *self._list_holders("Logical_Router", "load_balancer", found),
            *self._list_holders("Logical_Router", "load_balancer_group", group_uuids),
        ]
        words = "used by a load balancer of router"
        return next((f"{words} {name}" for name in self._list_outside(holders)), None)

    def _find_port(self) -> str | None:
        """Looks at the switches that the gateway ports lead to."""
        options = [["map", [["router-port", port.name]]] for port in self._router.gateway_ports]
        leads = [
            select("Logical_Switch_Port", [["options", "includes", each]], ("_uuid",))
            for each in options
        ]
        joints = [row["_uuid"] for row in self._ask(leads)]
        for switch in self._list_holders("Logical_Switch", "ports", joints):
            columns = ("name", "type", "addresses", "dynamic_addresses", "external_ids")
            ports = [
                select("Logical_Switch_Port", [["_uuid", "==", ["uuid", uuid]]], columns)
                for uuid in members(switch["ports"])
            ]
            for row in self._ask(ports):
                if row["type"] != "router" and self._address in _list_addresses(row):
                    return f"used by port {quote(row['name'])} of switch {quote(switch['name'])}"
        return None

    def _list_foreign(self, selects: Sequence[Json]) -> list[Any]:
        rows = self._ask(selects)
        return [row["_uuid"] for row in rows if not is_ours(dict(row["external_ids"][1]))]

    def _list_holders(self, table: str, column: str, uuids: Iterable[Any]) -> list[Json]:
        """Returns the rows whose set 'column' has any of some references."""
        return self._ask([select(table, [[column, "includes", uuid]]) for uuid in uuids])

    def _list_outside(self, rows: Iterable[Json]) -> Iterator[str]:
        """Yields the names of the routers that have a gateway port on a network of this one."""
        for row in rows:
            other = read_router(self._client, row, self._subject)
            theirs = {each for port in other.gateway_ports for each in port.networks}
            if theirs & self._outside:
                yield quote(other.name)

    def _is_balanced(self, row: Json) -> bool:
        ends = (parse_endpoint(text) for text, _ in row["vips"][1])
        return any(each is not None and str(each.address) == self._address for each in ends)


def _list_addresses(row: Json) -> Iterator[str]:
    """Yields the addresses of a switch port, which stand behind its MAC address (ovn-nb(5))."""
    for text in (*members(row["addresses"]), *members(row["dynamic_addresses"])):
        yield from map(canonical_address, str(text).split()[1:])
