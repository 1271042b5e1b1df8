"""What is wrong with a VPN, in words, and what it becomes in strongSwan's."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..lib.router import GatewayPort, Router, parse_networks
from ..northd.engine.engine import Engine
from ..services.api.compile import ROUTER, ROUTERS_BY_ADDRESS, ROUTERS_BY_NAME
from ..services.api.node import Index
from ..services.ipsec import rules
from ..services.ipsec.compile import home
from ..services.ipsec.compile.tables import INDEXES, SERVICE
from ..services.ipsec.contention import Contention, make_contender
from ..services.ipsec.rows import IKEPolicy, IPsecConnection, IPsecPolicy, VPNService

SERVICE_ROW = VPNService(
    uuid=uuid.UUID(int=1),
    name="mercury",
    router="tenant-router",
    address_mode=None,
    external_ips=("1.0.0.100",),
    local_subnets=("192.168.1.0/24",),
    connections=(),
    group=None,
    enabled=None,
    status=None,
    status_message="",
)
CONNECTION = IPsecConnection(
    uuid=uuid.UUID(int=2),
    name="to-venus",
    peer_address="1.0.0.3",
    peer_id=None,
    local_id=None,
    peer_subnets=("192.168.2.0/24",),
    auth=None,
    psk="secret",
    certificate=None,
    ike_policy=None,
    ipsec_policy=None,
    initiator=None,
    dpd_action=None,
    dpd_interval=None,
    dpd_timeout=None,
    force_udp_encapsulation=None,
    mtu=None,
    enabled=None,
    status=None,
    status_message="",
)
IKE = IKEPolicy(
    uuid=uuid.UUID(int=3),
    name="ike",
    ike_version=None,
    encryption_algorithm=(),
    auth_algorithm=(),
    pfs=(),
    lifetime=None,
)
V1 = replace(IKE, ike_version="v1")
ESP = IPsecPolicy(
    uuid=uuid.UUID(int=4),
    name="esp",
    transform_protocol=None,
    encapsulation_mode=None,
    encryption_algorithm=(),
    auth_algorithm=(),
    pfs=(),
    esn=None,
    lifetime=None,
    lifetime_bytes=None,
)


def find_contention(
    members: Iterable[tuple[VPNService, IPsecConnection]], *ike_v1: uuid.UUID
) -> dict[uuid.UUID, str]:
    """Returns, by the connection that has it, what is wrong between connections.

    'members' are those of all services of one router that have no problem of
    their own, those of 'ike_v1' with a policy of that version.  Of two that
    contend the first by name and UUID is fine.
    """
    contention = Contention()
    problems: dict[uuid.UUID, str] = {}
    for service, row in sorted(members, key=lambda each: (each[1].name, each[1].uuid)):
        policy = V1 if row.uuid in ike_v1 else None
        problem = contention.add(make_contender(service, row, policy))
        if problem is not None:
            problems[row.uuid] = problem
    return problems


def test_the_rows_that_the_tables_below_break_are_good() -> None:
    assert rules.service_problem(SERVICE_ROW) is None
    assert rules.connection_problem(CONNECTION, SERVICE_ROW) is None
    assert rules.policies_problem(IKE, ESP) is None


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": ""}, "the name is empty"),
        ({"name": "a\nb"}, 'name "a\\nb" has a character that cannot be printed'),
        ({"name": " a"}, "name  a starts or ends with a space"),
        ({"name": "a" * 256}, "the name has 256 characters; 255 are the most"),
        ({"router": ""}, "no router is given"),
        ({"address_mode": "shared"}, 'address mode "shared" is not yet served; only "routed" is'),
        ({"external_ips": ()}, "no external address is given"),
        ({"external_ips": ("x",)}, "external address: x is not an IP address"),
        ({"external_ips": ("::2",)}, "external address ::2: IPv6 is not yet served"),
        (
            {"external_ips": ("1.0.0.1", "1.0.0.2")},
            'address mode "routed" takes one external address, not 2',
        ),
        ({"local_subnets": ()}, "no local subnet is given"),
        (
            {"local_subnets": ("192.168.1.5/24",)},
            "local subnet: 192.168.1.5/24 has host bits set; did you mean 192.168.1.0/24?",
        ),
        ({"local_subnets": ("fd00::/64",)}, "local subnet fd00::/64: IPv6 is not yet served"),
        (
            {"local_subnets": ("10.0.0.0/8", "10.1.0.0/16")},
            "local subnet 10.1.0.0/16 overlaps local subnet 10.0.0.0/8",
        ),
        (
            {"local_subnets": ("1.0.0.0/24",)},
            "external address 1.0.0.100 is inside local subnet 1.0.0.0/24",
        ),
    ],
)
def test_bad_services(change: dict[str, Any], problem: str) -> None:
    assert rules.service_problem(replace(SERVICE_ROW, **change)) == problem


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": ""}, "the name is empty"),
        ({"peer_address": ""}, "no peer address is given"),
        ({"peer_address": "venus"}, "peer address: venus is not an IP address"),
        ({"peer_address": "2001:db8::3"}, "peer address 2001:db8::3: IPv6 is not yet served"),
        (
            {"peer_address": "1.0.0.100"},
            "peer address 1.0.0.100 is the VPN service's own external address",
        ),
        (
            {"peer_address": "192.168.2.3"},
            "peer address 192.168.2.3 is inside peer subnet 192.168.2.0/24",
        ),
        (
            {"peer_address": "192.168.1.3"},
            "peer address 192.168.1.3 is inside local subnet 192.168.1.0/24",
        ),
        ({"peer_subnets": ()}, "no peer subnet is given"),
        ({"peer_subnets": ("2.0/24",)}, "peer subnet: 2.0/24 is not a subnet (as 192.168.1.0/24)"),
        (
            {"peer_subnets": ("10.0.0.0/8", "10.0.0.0/8")},
            "peer subnet 10.0.0.0/8 overlaps peer subnet 10.0.0.0/8",
        ),
        (
            {"peer_subnets": ("192.168.1.0/24",)},
            "peer subnet 192.168.1.0/24 overlaps local subnet 192.168.1.0/24",
        ),
        (
            {"peer_subnets": ("192.168.0.0/16",)},
            "peer subnet 192.168.0.0/16 overlaps local subnet 192.168.1.0/24",
        ),
        (
            {"auth": "certificate"},
            "authentication by certificate is not yet served; use a pre-shared key",
        ),
        ({"psk": None}, "no pre-shared key is given"),
        ({"psk": ""}, "the pre-shared key is empty"),
        ({"peer_id": ""}, "the peer id is empty"),
        ({"local_id": "a\0"}, 'local id "a\\x00" has a character that cannot be printed'),
        (
            {"peer_id": "CN=venus, O=x"},
            "peer id CN=venus, O=x has a space, or a character that is not ASCII",
        ),
        ({"peer_id": "%any"}, "peer id %any stands for anybody; a pre-shared key needs one peer"),
        (
            {"local_id": "@*.example.com"},
            "local id @*.example.com stands for several names; a pre-shared key needs one peer",
        ),
        (
            {"dpd_interval": 30, "dpd_timeout": 30},
            "dpd_timeout (30 s) must be greater than dpd_interval (30 s)",
        ),
        (
            {"dpd_interval": 120},
            "dpd_timeout (120 s) must be greater than dpd_interval (120 s)",
        ),
        ({"mtu": 20}, "mtu 20 is not in 68..65535"),
    ],
)
def test_bad_connections(change: dict[str, Any], problem: str) -> None:
    assert rules.connection_problem(replace(CONNECTION, **change), SERVICE_ROW) == problem


def test_a_connection_is_not_blamed_for_its_service() -> None:
    service = replace(SERVICE_ROW, local_subnets=("nonsense",), external_ips=("nonsense",))
    assert rules.connection_problem(CONNECTION, service) is None


def connection(number: int, **change: Any) -> IPsecConnection:
    defaults = {
        "uuid": uuid.UUID(int=number),
        "name": f"c{number}",
        "peer_address": f"1.0.1.{number}",
        "peer_subnets": (f"10.{number}.0.0/16",),
    }
    return replace(CONNECTION, **{**defaults, **change})


@pytest.mark.parametrize(
    ("first", "second", "problem"),
    [
        ({}, {}, None),
        ({}, {"name": "c10"}, "a connection with this name already exists"),
        (
            {},
            {"peer_subnets": ("10.10.1.0/24",)},
            "peer subnet 10.10.1.0/24 overlaps peer subnet 10.10.0.0/16 of connection c10",
        ),
        ({"enabled": False}, {"peer_subnets": ("10.10.1.0/24",)}, None),
        (
            {},
            {"peer_address": "1.0.1.10", "psk": "other"},
            "connection c10 has the same local and peer id with another pre-shared key",
        ),
        ({}, {"peer_address": "1.0.1.10", "psk": "other", "peer_id": "other"}, None),
        ({}, {"peer_address": "1.0.1.10"}, None),
        (
            {"peer_id": "@mars"},
            {"peer_id": "@mars"},
            "connection c10 has the same local and peer id with other addresses",
        ),
        (
            {},
            {"peer_address": "1.0.1.10", "dpd_interval": 7},
            "connection c10 has the same local and peer id with other settings of IKE or of dead"
            " peer detection",
        ),
        ({}, {"peer_address": "1.0.1.10", "initiator": "response-only"}, None),
    ],
)
def test_siblings(first: dict[str, Any], second: dict[str, Any], problem: str | None) -> None:
    rows = [connection(10, **first), connection(11, **second)]
    expected = {} if problem is None else {rows[1].uuid: problem}
    assert find_contention((SERVICE_ROW, row) for row in rows) == expected
    assert find_contention((SERVICE_ROW, row) for row in reversed(rows)) == expected


SAME_ADDRESSES = (
    "connection c10 has the same addresses with another pre-shared key,"
    " and IKE v1 finds the key by them"
)


@pytest.mark.parametrize(
    ("change", "ike_v1", "problem"),
    [
        ({"psk": "other"}, (10, 11), SAME_ADDRESSES),
        ({"psk": "other"}, (11, 10), SAME_ADDRESSES),
        ({}, (10, 11), None),
        ({"psk": "other"}, (10,), None),
        ({"psk": "other"}, (11,), None),
        ({"psk": "other", "peer_address": "1.0.1.12"}, (10, 11), None),
        ({"psk": "other", "peer_address": "1.0.1.10", "enabled": False}, (10, 11), None),
    ],
)
def test_ike_v1_finds_a_key_by_addresses(
    change: dict[str, Any], ike_v1: tuple[int, ...], problem: str | None
) -> None:
    second = {"peer_address": "1.0.1.10", "peer_id": "eleven", "local_id": "us", **change}
    rows = [connection(10), connection(11, **second)]
    expected = {} if problem is None else {rows[1].uuid: problem}
    versions = [uuid.UUID(int=number) for number in ike_v1]
    assert find_contention([(SERVICE_ROW, row) for row in rows], *versions) == expected
    assert find_contention([(SERVICE_ROW, row) for row in rows[::-1]], *versions) == expected


def test_an_identity_in_other_words_is_the_same_one() -> None:
    rows = [
        connection(10, peer_id="venus.example.com"),
        connection(11, peer_id="@Venus.example.com", psk="other"),
    ]
    assert find_contention((SERVICE_ROW, row) for row in rows) == {
        rows[1].uuid: "connection c10 has the same local and peer id with another pre-shared key"
    }


def test_services_of_one_router_may_share_a_peer_but_not_a_pair_of_subnets() -> None:
    other = replace(
        SERVICE_ROW,
        uuid=uuid.UUID(int=9),
        name="venus",
        external_ips=("1.0.0.101",),
        local_subnets=("192.168.9.0/24",),
    )
    rows = [connection(10), connection(11, name="c10", peer_subnets=("10.10.0.0/16",))]
    assert not find_contention([(SERVICE_ROW, rows[0]), (other, rows[1])])
    overlapping = replace(other, local_subnets=SERVICE_ROW.local_subnets)
    assert list(find_contention([(SERVICE_ROW, rows[0]), (overlapping, rows[1])])) == [rows[1].uuid]


def _make_router(number: int, name: str) -> Router:
    networks = parse_networks([f"1.{number}.0.1/24"])
    port = GatewayPort(uuid.UUID(int=100 + number), f"{name}-out", networks)
    return Router(
        uuid=uuid.UUID(int=number),
        name=name,
        networks=networks,
        addresses=frozenset({f"1.{number}.0.1"}),
        routes=(),
        nat_addresses=frozenset(),
        gateway_ports=(port,),
        is_gateway=False,
    )


def _make_engine(
    services: Iterable[VPNService], routers: Iterable[str] = (SERVICE_ROW.router, "other-router")
) -> Engine:
    """Returns an engine that has services on routers of these names."""
    engine = Engine(
        (
            Index(ROUTERS_BY_NAME, ROUTER, lambda _uuid, router: (router.name,)),
            Index(ROUTERS_BY_ADDRESS, ROUTER, lambda _uuid, router: router.addresses),
            *INDEXES,
            *home.NODES,
        )
    )
    for number, name in enumerate(routers, 1):
        engine.put(ROUTER, uuid.UUID(int=number), _make_router(number, name))
    for row in services:
        engine.put(SERVICE, row.uuid, row)
    engine.run(0)
    assert not engine.faults
    return engine


def _find_service_problems(
    services: Iterable[VPNService], routers: Iterable[str] = (SERVICE_ROW.router, "other-router")
) -> dict[uuid.UUID, str]:
    """Returns what is wrong with services on routers of these names."""
    return dict(_make_engine(services, routers).get_all(home.SERVICE_PROBLEM))


def test_an_external_address_belongs_to_one_router() -> None:
    other = replace(SERVICE_ROW, uuid=uuid.UUID(int=9), name="neptune", router="other-router")
    assert _find_service_problems([other, SERVICE_ROW]) == {
        other.uuid: "external address 1.0.0.100 is already used by VPN service mercury"
        " on another router"
    }
    free = replace(other, external_ips=("1.0.0.2",))
    assert not _find_service_problems([SERVICE_ROW, free])
    assert not _find_service_problems([SERVICE_ROW, replace(other, router=SERVICE_ROW.router)])


def test_claims_are_computed_of_an_address_while_several_have_it() -> None:
    engine = _make_engine([SERVICE_ROW])

    def count() -> list[int]:
        stats, names = engine.stats(), ("address_claim", "service_contested", "service_problem")
        return [stats[name].compute for name in names]

    assert count() == [0, 0, 0]
    other = replace(SERVICE_ROW, uuid=uuid.UUID(int=9), name="neptune", router="other-router")
    for _ in range(2):
        engine.put(SERVICE, other.uuid, other)
        engine.run(0)
        assert set(engine.get_all(home.SERVICE_PROBLEM)) == {other.uuid}
        assert engine.find_differences() == []
        engine.put(SERVICE, other.uuid, None)
        engine.run(0)
        assert not engine.get_all(home.SERVICE_PROBLEM)
        assert engine.find_differences() == []


def test_services_that_share_an_address_do_not_each_look_at_all_others() -> None:
    def measure_s(number: int) -> float:
        rows = [replace(SERVICE_ROW, uuid=uuid.UUID(int=99 + each)) for each in range(number)]
        started_s = time.process_time()
        assert not _find_service_problems(rows)
        return time.process_time() - started_s

    assert measure_s(2400) < 24 * measure_s(300)


def test_a_router_may_be_given_by_its_uuid() -> None:
    by_uuid = replace(SERVICE_ROW, router=str(uuid.UUID(int=1)))
    assert not _find_service_problems([by_uuid])
    # A name that reads as another's UUID makes that UUID mean nothing else.
    assert not _find_service_problems([by_uuid], [SERVICE_ROW.router, str(uuid.UUID(int=1))])
    other = replace(SERVICE_ROW, uuid=uuid.UUID(int=9), name="neptune")
    assert not _find_service_problems([by_uuid, other])


texts = st.text() | st.sampled_from(
    ["1.0.0.3", "1.0.0.100", "192.168.1.0/24", "10.0.0.0/8", "0.0.0.0/0", "::/0", "%any", "{9}:#x"]
)
lists = st.lists(texts, max_size=3).map(tuple)
services = st.builds(
    replace, st.just(SERVICE_ROW), name=texts, router=texts, external_ips=lists, local_subnets=lists
)
connections = st.builds(
    replace,
    st.just(CONNECTION),
    uuid=st.uuids(),
    name=texts,
    peer_address=texts,
    peer_id=st.none() | texts,
    local_id=st.none() | texts,
    peer_subnets=lists,
    psk=st.none() | texts,
    dpd_interval=st.none() | st.integers(1, 86400),
    dpd_timeout=st.none() | st.integers(2, 86400),
    enabled=st.none() | st.booleans(),
)


@given(services, st.lists(connections, max_size=4))
def test_whatever_is_on_the_rows_each_problem_is_one_printable_line(
    service: VPNService, rows: list[IPsecConnection]
) -> None:
    problems = [rules.service_problem(service)]
    problems += [rules.connection_problem(row, service) for row in rows]
    problems += find_contention((service, row) for row in rows).values()
    problems += _find_service_problems([service, SERVICE_ROW]).values()
    for problem in problems:
        assert problem is None or (problem.isprintable() and "secret" not in problem)


@given(st.lists(connections, max_size=5, unique_by=lambda row: row.uuid), st.randoms())
def test_siblings_do_not_depend_on_their_order(rows: list[IPsecConnection], random: Any) -> None:
    first = find_contention((SERVICE_ROW, row) for row in rows)
    random.shuffle(rows)
    assert find_contention((SERVICE_ROW, row) for row in rows) == first


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"peer_address": "10.10.0.9"},
            "connection c10 has the subnet 10.10.0.0/16, in which the peer address 10.10.0.9 is",
        ),
        (
            {"peer_subnets": ("1.0.1.0/28",)},
            "connection c10 has the peer address 1.0.1.10, which is in the subnet 1.0.1.0/28",
        ),
    ],
)
def test_no_connection_leads_what_is_for_a_peer_into_a_tunnel(
    change: dict[str, Any], problem: str
) -> None:
    rows = [connection(10), connection(11, **change)]
    assert find_contention((SERVICE_ROW, row) for row in rows) == {rows[1].uuid: problem}


def test_another_service_has_no_peer_address_in_its_local_subnets() -> None:
    other = replace(SERVICE_ROW, uuid=uuid.UUID(int=9), local_subnets=("1.0.1.10/32",))
    rows = [(SERVICE_ROW, connection(10)), (other, connection(11))]
    assert find_contention(rows) == {
        rows[1][1].uuid: "connection c10 has the peer address 1.0.1.10,"
        " which is in the subnet 1.0.1.10/32"
    }
