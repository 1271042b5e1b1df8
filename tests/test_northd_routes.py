"""Foreign routes on the router: what is rerouted is routed first, or it is said why not."""

from __future__ import annotations

import ipaddress
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..lib.addresses import Subnet
from ..lib.router import Route, Router
from ..northd.ovn.routing import Routing
from .cloud import Cloud, make_vpn_cloud
from .links import find_members
from .logs import Logs
from .ovsdb import Databases

PEER = "192.168.2.0/24"
HALVES = {"192.168.2.0/25", "192.168.2.128/25"}


@pytest.fixture
def cloud(vpn_cloud: Cloud) -> Cloud:
    return vpn_cloud


def _add_route(cloud: Cloud, prefix: str, nexthop: str = "discard", **columns: Any) -> None:
    row = {"ip_prefix": prefix, "nexthop": nexthop, **columns}
    mutation = ["static_routes", "insert", ["set", [["named-uuid", "new"]]]]
    cloud.ovn.transact(
        {"op": "insert", "table": "Logical_Router_Static_Route", "uuid-name": "new", "row": row},
        {"op": "mutate", "table": "Logical_Router", "where": [], "mutations": [mutation]},
    )
    cloud.settle()


def _remove_route(cloud: Cloud, nexthop: str) -> None:
    row = cloud.find(cloud.ovn, "Logical_Router_Static_Route", nexthop=nexthop)
    mutation = ["static_routes", "delete", ["set", [row["_uuid"]]]]
    cloud.ovn.transact(
        {"op": "mutate", "table": "Logical_Router", "where": [], "mutations": [mutation]}
    )
    cloud.settle()


def _find_own(cloud: Cloud) -> set[tuple[str, str]]:
    """Returns prefix and table of our routes, but for those of the external address."""
    rows = cloud.ovn.rows("Logical_Router_Static_Route")
    return {
        (row["ip_prefix"], row["route_table"])
        for row in rows
        if row["external_ids"][1] and row["ip_prefix"] != "1.0.0.100/32"
    }


def _find_sentence(cloud: Cloud) -> str:
    """Returns what is said of it on the rows of connection, service and container."""
    rows = [
        cloud.find(cloud.nb, table)
        for table in ("IPsec_Connection", "VPN_Service", "Service_Container")
    ]
    told = [str(row["status_message"]) for row in rows]
    sentences = {
        part.removeprefix("to-venus: ")
        for text in told
        for part in text.split("; ")
        if "discards" in part
    }
    assert len(sentences) <= 1
    if sentences:
        assert all(next(iter(sentences)) in text for text in told)
    return next(iter(sentences), "")


@pytest.mark.parametrize(
    ("route", "own"),
    [
        ({"prefix": "192.168.0.0/16"}, {PEER}),
        ({"prefix": "0.0.0.0/0"}, {PEER}),
        # Half of what is for the peer would go to each of two routes to one prefix.
        ({"prefix": PEER}, HALVES),
        # By source: it comes before the default route, and after a route to the peer.
        ({"prefix": "192.168.1.0/24", "policy": "src-ip"}, {PEER}),
        # OVN passes over a route without a port to its next hop.
        ({"prefix": "192.168.0.0/16", "nexthop": "9.9.9.9"}, {PEER}),
        # These lead on, so that the policy comes to see what they take.
        ({"prefix": "192.168.0.0/16", "nexthop": "1.0.0.9"}, set()),
        ({"prefix": PEER, "nexthop": "1.0.0.9"}, set()),
        ({"prefix": "192.168.2.128/25", "nexthop": "1.0.0.9"}, set()),
        ({"prefix": "192.168.1.0/24", "policy": "src-ip", "nexthop": "1.0.0.9"}, set()),
        # These are no match of what goes to the peer.
        ({"prefix": "192.168.0.0/16", "route_table": "others"}, set()),
        ({"prefix": "192.168.0.0/23"}, set()),
    ],
)
def test_what_is_for_the_peer_is_routed_whatever_else_is_on_the_router(
    cloud: Cloud, route: dict[str, str], own: set[str]
) -> None:
    _add_route(cloud, **route)
    assert _find_own(cloud) == {(each, "") for each in own}
    assert _find_sentence(cloud) == ""
    _remove_route(cloud, route.get("nexthop", "discard"))
    assert _find_own(cloud) == set(), "what is not needed any more goes"


@pytest.mark.parametrize(
    ("route", "sentence"),
    [
        ({"prefix": "192.168.2.128/25"}, "discards traffic to 192.168.2.128/25"),
        ({"prefix": "192.168.2.7/32"}, "discards traffic to 192.168.2.7/32"),
        (
            {"prefix": "192.168.1.64/26", "policy": "src-ip"},
            "discards traffic from 192.168.1.64/26",
        ),
    ],
)
def test_a_longer_match_that_discards_is_told_on_every_row(
    cloud: Cloud, route: dict[str, str], sentence: str
) -> None:
    _add_route(cloud, **route)
    assert _find_sentence(cloud) == f"a route of router tenant-router {sentence}"
    _remove_route(cloud, "discard")
    assert _find_sentence(cloud) == ""


def test_a_port_with_a_route_table_of_its_own_finds_the_peer_there(cloud: Cloud) -> None:
    inside = [["name", "==", "tenant-router-in"]]
    options: Any = ["map", [["route_table", "guests"]]]
    cloud.ovn.update("Logical_Router_Port", inside, options=options)
    cloud.settle()
    assert _find_own(cloud) == {(PEER, "guests")}
    rows = cloud.ovn.rows("Logical_Router_Static_Route", [["ip_prefix", "==", "1.0.0.100/32"]])
    assert {row["route_table"] for row in rows} == {"", "guests"}
    _add_route(cloud, "192.168.2.128/25", route_table="guests")
    assert _find_sentence(cloud) == (
        "a route of router tenant-router in route table guests discards traffic to 192.168.2.128/25"
    )


def test_a_route_that_goes_by_bfd_may_not_be_there(cloud: Cloud) -> None:
    bfd = cloud.ovn.insert("BFD", logical_port="tenant-router-out", dst_ip="1.0.0.1")
    cloud.ovn.update(
        "Logical_Router_Static_Route", [["ip_prefix", "==", "0.0.0.0/0"]], bfd=["uuid", bfd]
    )
    cloud.settle()
    assert _find_own(cloud) == {(PEER, "")}
    assert _find_sentence(cloud) == ""


def test_a_discard_of_all_link_local_addresses_takes_no_link_away(
    databases: Databases, logs: Logs
) -> None:
    made = make_vpn_cloud(databases, logs)
    _add_route(made, "169.254.0.0/16")
    port = made.find(made.sb, "Port_Binding")
    assert find_members(port["addresses"]) == ["169.254.0.2/30"]
    made.laws()
    made.northd.close()


# -- against what OVN does with a packet -----------------------------------------------

_BITS = 3
_PREFIXES: list[Subnet] = [
    ipaddress.IPv4Network((number << (32 - length), length))
    for length in range(_BITS + 1)
    for number in range(2**length)
]


def _routes() -> st.SearchStrategy[Route]:
    kinds = st.sampled_from([(True, False), (False, False), (False, True)])
    return st.builds(
        lambda prefix, table, by_source, kind: Route(prefix, table, by_source, *kind),
        st.sampled_from(_PREFIXES),
        st.sampled_from(["", "a"]),
        st.booleans(),
        kinds,
    )


@given(
    st.lists(_routes(), max_size=5, unique=True),
    st.sampled_from(_PREFIXES),
    st.sampled_from(_PREFIXES),
    st.sampled_from(["", "a"]),
    st.lists(st.sampled_from(_PREFIXES), max_size=1),
)
def test_every_packet_is_routed_or_it_is_told_what_discards_it(
    routes: list[Route], source: Subnet, destination: Subnet, table: str, networks: list[Subnet]
) -> None:
    nothing: frozenset[str] = frozenset()
    router = Router(
        UUID(int=1), "r", tuple(networks), nothing, tuple(routes), nothing, (), False,
        tables=(table,),
    )  # fmt: skip
    routing = Routing(router)
    own = [Route(each, table) for each in routing.look_up(destination, table).own]
    told = set(routing.find_discards([source], [destination]))
    discards = set()
    for pair in product(_list_addresses(source), _list_addresses(destination)):
        met = _find_met(router, [*routes, *own], table, *pair)
        assert met is not None, f"nothing routes {pair}"
        discards |= {each for each in met if each.discards}
    assert discards <= told


def _list_addresses(subnet: Subnet) -> list[Any]:
    """Returns an address of each part that the prefixes tell apart."""
    step = 1 << (32 - _BITS - 1)
    return [subnet[each] for each in range(0, subnet.num_addresses, step)]


def _find_met(
    router: Router, routes: list[Route], table: str, source: Any, destination: Any
) -> list[Route] | None:
    """Returns the routes that a packet may take, none for a connected network; None if lost."""
    found: dict[int, list[Route]] = {}
    for each in routes:
        tables = ("", table) if each.by_source else (table,)
        if each.table in tables and (source if each.by_source else destination) in each.prefix:
            rank = 3 * each.prefix.prefixlen + (0 if each.by_source else 1)
            # Alone, one that does not lead may not be there for OVN.
            if each.leads or each.discards:
                found.setdefault(rank, []).append(each)
    for network in router.networks:
        if destination in network:
            found.setdefault(3 * network.prefixlen + 2, [])
    return found[max(found)] if found else None


def test_a_route_by_a_port_that_is_gone_leads_nowhere(cloud: Cloud) -> None:
    _add_route(cloud, "192.168.0.0/16")
    assert _find_own(cloud) == {("192.168.2.0/24", "")}
    _add_route(cloud, "192.168.0.0/17", "9.9.9.9", output_port="dead")
    assert _find_own(cloud) == {("192.168.2.0/24", "")}
