"""Who else in OVN_Northbound answers for an address on a network outside; read only.

svc-northd refuses the same afterwards (services/api/routers.py), and what ports have that only
OVN_Southbound tells.  What is asked is the same few questions however many routers there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ...lib.addresses import canonical_address, quote
from ...lib.balancer import parse_endpoint
from ...lib.router import Router, is_ours
from ..context import Context
from ..db.rpc import Client
from .lookup import Json, ask_each, members, open_ovn, select
from .router import read_router

_FOREIGN = ("_uuid", "external_ids")
_PORT = ("_uuid", "name", "addresses", "dynamic_addresses")
# Of switch ports that may have an address of their own.
_ADDRESSED = [["type", "!=", "router"], ["addresses", "!=", ["set", []]]]
_MOST_ONE_BY_ONE = 100

# An address stands there with any port behind it, for which OVSDB has no condition.
_BALANCERS = select("Load_Balancer", [["vips", "!=", ["map", []]]], ("_uuid", "vips"))


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
        ports, nats, balancers, joints = self._ask_each(
            self._select_ports(), self._select_nats(), [_BALANCERS], self._select_joints()
        )
        return (
            self._find_router(ports, nats)
            or self._find_balancer(balancers)
            or self._find_port(joints)
        )

    def _select_ports(self) -> list[Json]:
        lengths = {each.prefixlen for each in self._outside}
        texts = [f"{self._address}/{length}" for length in sorted(lengths)]
        where = [[["networks", "includes", text]] for text in texts]
        return [select("Logical_Router_Port", each, _FOREIGN) for each in where]

    def _select_nats(self) -> list[Json]:
        return [select("NAT", [["external_ip", "==", self._address]], _FOREIGN)]

    def _select_joints(self) -> list[Json]:
        """Returns the questions for the switch ports that the gateway ports lead to."""
        options = [["map", [["router-port", port.name]]] for port in self._router.gateway_ports]
        where = [[["options", "includes", each]] for each in options]
        return [select("Logical_Switch_Port", each, ("_uuid",)) for each in where]

    def _ask_each(self, *groups: Sequence[Json]) -> list[list[Json]]:
        """Returns the rows that the questions of each group select, of one moment."""
        questions = [each for group in groups for each in group]
        found = iter(ask_each(self._client, questions, self._subject) if questions else ())
        return [[row for _ in group for row in next(found)] for group in groups]

    def _find_router(self, ports: Sequence[Json], nats: Sequence[Json]) -> str | None:
        by_port, by_nat = self._ask_each(
            _select_holders("Logical_Router", "ports", _list_foreign(ports)),
            _select_holders("Logical_Router", "nat", _list_foreign(nats)),
        )
        others = (row for row in (*by_port, *by_nat) if row["_uuid"][1] != str(self._router.uuid))
        return next((f"used by router {name}" for name in self._list_outside(others)), None)

    def _find_balancer(self, balancers: Sequence[Json]) -> str | None:
        found = [row["_uuid"] for row in balancers if self._is_balanced(row)]
        groups, holders = self._ask_each(
            _select_holders("Load_Balancer_Group", "load_balancer", found),
            _select_holders("Logical_Router", "load_balancer", found),
        )
        uuids = [row["_uuid"] for row in groups]
        [by_group] = self._ask_each(_select_holders("Logical_Router", "load_balancer_group", uuids))
        words = "used by a load balancer of router"
        routers = self._list_outside((*holders, *by_group))
        return next((f"{words} {name}" for name in routers), None)

    def _find_port(self, joints: Sequence[Json]) -> str | None:
        """Looks at the switches that the gateway ports lead to."""
        uuids = [row["_uuid"] for row in joints]
        [switches] = self._ask_each(_select_holders("Logical_Switch", "ports", uuids))
        for switch in switches:
            for row in self._list_ports(members(switch["ports"])):
                if self._address in _list_addresses(row):
                    return f"used by port {quote(row['name'])} of switch {quote(switch['name'])}"
        return None

    def _list_ports(self, uuids: Sequence[str]) -> list[Json]:
        """Returns those of the ports of a switch that have an address and lead to no router."""
        if len(uuids) <= _MOST_ONE_BY_ONE:
            places = [[["_uuid", "==", ["uuid", uuid]], *_ADDRESSED] for uuid in uuids]
            [rows] = self._ask_each([select("Logical_Switch_Port", e, _PORT) for e in places])
            return rows
        # Of so many nearly all lead to routers, and the others are quicker found by that.
        wanted = set(uuids)
        [rows] = self._ask_each([select("Logical_Switch_Port", _ADDRESSED, _PORT)])
        return [row for row in rows if row["_uuid"][1] in wanted]

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


def _list_foreign(rows: Iterable[Json]) -> list[Any]:
    return [row["_uuid"] for row in rows if not is_ours(dict(row["external_ids"][1]))]


def _select_holders(table: str, column: str, uuids: Iterable[Any]) -> list[Json]:
    """Returns the questions for the rows whose set 'column' has any of some references."""
    return [select(table, [[column, "includes", uuid]]) for uuid in uuids]


def _list_addresses(row: Json) -> Iterator[str]:
    """Yields the addresses of a switch port, which stand behind its MAC address (ovn-nb(5))."""
    for text in (*members(row["addresses"]), *members(row["dynamic_addresses"])):
        yield from map(canonical_address, str(text).split()[1:])
