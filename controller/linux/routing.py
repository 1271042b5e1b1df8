"""The routes and rules of a namespace that are ours.

Ours are the routes of the main table with protocol 'static', and what has our
own protocol number in other tables and among the rules; what a daemon adds
beside them (strongSwan's table 220) is left alone.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Iterator, Mapping
from typing import Any

from pyroute2.netlink.exceptions import NetlinkError

from ...lib.errors import HostError
from ...services.api.host import LOCAL, MAIN_TABLE, UNREACHABLE, Route, Rule
from ..host.kinds import sort_routes, sort_rules

_PROTO_STATIC = 4
# None of those that iproute2 or a routing daemon has a name for.
_PROTO_OURS = 83
_TYPE_UNICAST = 1
_TYPE_LOCAL = 2
_TYPE_UNREACHABLE = 7
_SCOPE_HOST = 254
_LO_INDEX = 1
_KINDS = {_TYPE_LOCAL: LOCAL, _TYPE_UNREACHABLE: UNREACHABLE}
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


def read_routes(route: Any, ports: Mapping[str, int]) -> tuple[Route, ...]:
    """Returns our routes; 'ports' are the indexes of the ports by name."""
    names = {index: name for name, index in ports.items()}
    found = []
    for family in _FAMILIES.values():
        for each in route.get_routes(family=family):
            table = each.get_attr("RTA_TABLE") or each["table"]
            if each["proto"] == _find_protocol(table):
                found.append(_format_route(each, table, names))
    return sort_routes(found)


def sync_routes(route: Any, ports: Mapping[str, int], wanted: tuple[Route, ...]) -> None:
    """Makes our routes be those."""
    actual = set(read_routes(route, ports))
    for each in actual - set(wanted):
        route.route("del", **_make_request(each, ports))
    for each in sort_routes(set(wanted) - actual):
        route.route("replace", **_make_request(each, ports))


def read_rules(route: Any) -> tuple[Rule, ...]:
    """Returns our rules."""
    return sort_rules(_find_rules(route))


def sync_rules(route: Any, wanted: tuple[Rule, ...]) -> None:
    """Makes our rules be those."""
    actual = set(read_rules(route))
    for each in actual - set(wanted):
        with contextlib.suppress(NetlinkError):
            route.rule("del", **_make_rule(each))
    for each in sort_rules(set(wanted) - actual):
        route.rule("add", **_make_rule(each))


# -- helpers -----------------------------------------------------------------


def _find_protocol(table: int) -> int:
    return _PROTO_STATIC if table == MAIN_TABLE else _PROTO_OURS


def _format_route(message: Any, table: int, names: Mapping[int, str]) -> Route:
    anywhere = "0.0.0.0" if message["family"] == socket.AF_INET else "::"
    destination = f"{message.get_attr('RTA_DST') or anywhere}/{message['dst_len']}"
    if message["type"] in _KINDS:
        return Route(destination, kind=_KINDS[message["type"]], table=table)
    return Route(
        destination,
        message.get_attr("RTA_GATEWAY"),
        message.get_attr("RTA_PREFSRC"),
        table=table,
        interface=names.get(message.get_attr("RTA_OIF"), ""),
    )


def _make_request(wanted: Route, ports: Mapping[str, int]) -> dict[str, Any]:
    request: dict[str, Any] = {
        "dst": wanted.destination,
        "family": socket.AF_INET6 if ":" in wanted.destination else socket.AF_INET,
        "table": wanted.table,
        "proto": _find_protocol(wanted.table),
        "type": _TYPE_UNREACHABLE,
    }
    if wanted.kind == LOCAL:
        request |= {"type": _TYPE_LOCAL, "oif": _LO_INDEX, "scope": _SCOPE_HOST}
    if wanted.gateway is not None:
        request |= {"gateway": wanted.gateway, "type": _TYPE_UNICAST}
        if wanted.interface in ports:
            request["oif"] = ports[wanted.interface]
    if wanted.source is not None:
        request["prefsrc"] = wanted.source
    return request


def _find_rules(route: Any) -> Iterator[Rule]:
    for version, family in _FAMILIES.items():
        for each in route.get_rules(family=family):
            if each.get_attr("FRA_PROTOCOL") != _PROTO_OURS:
                continue
            source = each.get_attr("FRA_SRC")
            yield Rule(
                priority=each.get_attr("FRA_PRIORITY") or 0,
                table=each.get_attr("FRA_TABLE") or each["table"],
                ip_version=version,
                mark=each.get_attr("FRA_FWMARK"),
                source=f"{source}/{each['src_len']}" if source else None,
            )


def _make_rule(wanted: Rule) -> dict[str, Any]:
    request: dict[str, Any] = {
        "family": _FAMILIES[wanted.ip_version],
        "priority": wanted.priority,
        "table": wanted.table,
        "protocol": _PROTO_OURS,
    }
    if wanted.mark is not None:
        request["fwmark"] = wanted.mark
    if wanted.source is not None:
        try:
            network = ipaddress.ip_network(wanted.source)
        except ValueError as error:
            raise HostError(f"a rule cannot be made: {error}") from error
        request |= {"src": str(network.network_address), "src_len": network.prefixlen}
    return request
