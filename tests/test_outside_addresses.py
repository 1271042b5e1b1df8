"""An address outside is of one container, whichever types contend for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ..lib import nb
from ..lib.container import KEPT
from ..northd.ovn import rows as ovn
from ..services.ipsec.compile import HALF
from ..services.ipsec.rows import IPsecConnection, VPNService
from .failing_types import OwnHalf
from .memory_cloud import MemoryCloud
from .population import (
    Site,
    add_chassis,
    add_connection,
    add_operator_container,
    add_router,
    add_site,
)

CHASSIS = ("hv1", "hv2")
VPN_ADDRESS, FREE, ANOTHER = "203.0.1.100", "203.0.1.101", "203.0.1.102"


@pytest.fixture
def cloud() -> Iterator[MemoryCloud]:
    made = MemoryCloud({"ipsec": HALF, "own": OwnHalf()})
    for name in CHASSIS:
        add_chassis(made, name, service_types=("ipsec", "own"))
    yield made
    made.settle(CHASSIS)
    counts = Counter(row.external_ip for row in made.rows(ovn.NAT) if row.type != "snat")
    assert all(count == 1 for count in counts.values()), counts
    before = made.see(("",))
    made.engine.recompute()
    made.settle(CHASSIS)
    assert made.see(("",)) == before, "a recompute changed something"


@pytest.fixture
def site(cloud: MemoryCloud) -> Site:
    made = add_site(cloud, "tenant", "203.0.1")
    cloud.settle(CHASSIS)
    return made


def add(cloud: MemoryCloud, name: str, address: str = "", router: str = "tenant") -> UUID:
    """Adds a container that wants addresses, and settles."""
    uuid = add_operator_container(cloud, name, "own", router=router, address=address)
    cloud.settle(CHASSIS)
    return uuid


def change(cloud: MemoryCloud, uuid: UUID, address: str) -> None:
    """Lets a container want other addresses, and settles."""
    row = cloud.tables[nb.ServiceContainer][uuid]
    cloud.change(nb.ServiceContainer, uuid, configuration={**row.configuration, "address": address})
    cloud.settle(CHASSIS)


def find_owners(cloud: MemoryCloud) -> dict[str, str]:
    """Returns the container of each address outside."""
    keys = {row.external_ip: ovn.find_key(row.external_ids) for row in cloud.rows(ovn.NAT)}
    return {address: key.partition("/")[0] for address, key in keys.items() if key}


def status(cloud: MemoryCloud, uuid: UUID) -> tuple[str, str]:
    row = cloud.tables[nb.ServiceContainer][uuid]
    return row.status_code, row.status_message


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        (VPN_ADDRESS, "external address 203.0.1.100 is already used by container vpn-"),
        ("203.0.1.2", "external address 203.0.1.2 is used by router"),
        ("203.0.1.7", "external address 203.0.1.7 is used by router neighbour"),
        ("203.0.1.1", "external address 203.0.1.1 is used by router tenant"),
        ("203.0.1.0", "external address 203.0.1.0 is that of a whole network of router tenant"),
        ("203.0.1.255", "external address 203.0.1.255 is that of a whole network of router tenant"),
        ("banana", "banana is not an IP address"),
    ],
)
def test_an_address_that_cannot_be_had(
    cloud: MemoryCloud, site: Site, address: str, sentence: str
) -> None:
    add_router(cloud, "neighbour", "203.0.1", host=7)
    before = cloud.see((site.container,))
    code, message = status(cloud, add(cloud, "a", address))
    assert (code, sentence in message) == ("error", True), message
    assert find_owners(cloud) == {VPN_ADDRESS: site.container}
    assert cloud.see((site.container,)) == before


def speak_with_free(cloud: MemoryCloud) -> str:
    """Has the VPN of the site a peer at FREE; returns the name of the connection."""
    (service,) = cloud.rows(VPNService)
    connection = service.connections[0]
    cloud.change(IPsecConnection, connection, peer_address=FREE)
    cloud.settle(CHASSIS)
    name: str = cloud.tables[IPsecConnection][connection].name
    return name


def test_nobody_is_given_what_another_one_on_the_router_speaks_with(
    cloud: MemoryCloud, site: Site
) -> None:
    speak_with_free(cloud)
    late = add(cloud, "m", FREE)
    sentence = f"external address {FREE} is what container {site.container} speaks with"
    assert status(cloud, late) == ("error", sentence)
    assert find_owners(cloud) == {VPN_ADDRESS: site.container}
    change(cloud, late, ANOTHER)
    assert find_owners(cloud) == {VPN_ADDRESS: site.container, ANOTHER: "m"}


def test_a_vpn_is_not_given_what_another_one_on_its_router_speaks_with(
    cloud: MemoryCloud, site: Site
) -> None:
    name = speak_with_free(cloud)
    late = add_vpn(cloud, "late", "tenant", FREE, 8)
    cloud.settle(CHASSIS)
    message = cloud.tables[VPNService][late].status_message
    assert message == f"external address {FREE} is the peer address of connection {name}"
    assert find_owners(cloud) == {VPN_ADDRESS: site.container}
    # Sites face to face: the peer is the VPN of another router.
    add_router(cloud, "second", "203.0.1")
    cloud.change(VPNService, late, router="second")
    cloud.settle(CHASSIS)
    assert FREE in find_owners(cloud)


def test_of_two_that_come_together_the_first_by_name_has_it(cloud: MemoryCloud, site: Site) -> None:
    second = add_operator_container(cloud, "b", "own", router="tenant", address=FREE)
    first = add(cloud, "a", FREE)
    assert find_owners(cloud)[FREE] == "a"
    assert status(cloud, second)[1] == f"external address {FREE} is already used by container a"
    cloud.remove(nb.ServiceContainer, first)
    cloud.settle(CHASSIS)
    assert find_owners(cloud)[FREE] == "b"
    assert status(cloud, second)[0] == "running"


def test_one_that_has_it_keeps_it(cloud: MemoryCloud, site: Site) -> None:
    has = add(cloud, "m", FREE)
    wants = add(cloud, "a", FREE)
    assert find_owners(cloud)[FREE] == "m"
    assert status(cloud, has) == ("running", "as told")
    assert status(cloud, wants)[0] == "error"


@pytest.mark.parametrize("wanted", [VPN_ADDRESS, "203.0.1.2", "banana"])
def test_one_that_goes_on_as_it_was_keeps_its_address(
    cloud: MemoryCloud, site: Site, wanted: str
) -> None:
    has = add(cloud, "m", FREE)
    change(cloud, has, wanted)
    assert status(cloud, has)[1].startswith(f"{KEPT}: "), status(cloud, has)
    wants = add(cloud, "a", FREE)
    assert find_owners(cloud)[FREE] == "m"
    assert status(cloud, wants)[0] == "error"
    change(cloud, has, ANOTHER)
    assert find_owners(cloud) == {VPN_ADDRESS: site.container, FREE: "a", ANOTHER: "m"}


def test_two_exchange_their_addresses(cloud: MemoryCloud, site: Site) -> None:
    one, other = add(cloud, "a", FREE), add(cloud, "b", ANOTHER)
    row = cloud.tables[nb.ServiceContainer][other]
    configuration = {**row.configuration, "address": FREE}
    cloud.change(nb.ServiceContainer, other, configuration=configuration)
    change(cloud, one, ANOTHER)
    assert find_owners(cloud) == {VPN_ADDRESS: site.container, FREE: "b", ANOTHER: "a"}


def test_whoever_waits_for_one_that_stays_gets_nothing_through_others(
    cloud: MemoryCloud, site: Site
) -> None:
    """The last of a row of containers goes on as it was, so that each keeps what it has."""
    addresses = [f"203.0.1.{number}" for number in range(101, 106)]
    row = [add(cloud, f"c{index}", address) for index, address in enumerate(addresses)]
    before = find_owners(cloud)
    for uuid, wanted in zip(row, [*addresses[1:], VPN_ADDRESS], strict=True):
        old = cloud.tables[nb.ServiceContainer][uuid].configuration
        cloud.change(nb.ServiceContainer, uuid, configuration={**old, "address": wanted})
    cloud.settle(CHASSIS)
    assert find_owners(cloud) == before
    assert status(cloud, row[0])[1] == (
        f"{KEPT}: external address {addresses[1]} is already used by container c1"
    )
    change(cloud, row[-1], FREE)
    assert find_owners(cloud) == {
        VPN_ADDRESS: site.container,
        FREE: "c4",
        **{address: f"c{index}" for index, address in enumerate(addresses[1:])},
    }


def test_more_than_can_be_looked_through_move_one_after_the_other(
    cloud: MemoryCloud, site: Site
) -> None:
    addresses = [f"203.0.1.{number}" for number in range(110, 160)]
    row = [add(cloud, f"c{index:02}", address) for index, address in enumerate(addresses[:-1])]
    for uuid, wanted in zip(row, addresses[1:], strict=True):
        old = cloud.tables[nb.ServiceContainer][uuid].configuration
        cloud.change(nb.ServiceContainer, uuid, configuration={**old, "address": wanted})
    cloud.settle(CHASSIS)
    owners = find_owners(cloud)
    del owners[VPN_ADDRESS]
    assert owners == {address: f"c{index:02}" for index, address in enumerate(addresses[1:])}


@settings(max_examples=40)
@given(st.data())
def test_whatever_becomes_of_them_no_address_is_of_two(data: st.DataObject) -> None:
    """VPNs of two routers and containers of another type change their addresses, come and go."""
    cloud = MemoryCloud({"ipsec": HALF, "own": OwnHalf()})
    for name in CHASSIS:
        add_chassis(cloud, name, service_types=("ipsec", "own"))
    vpns = []
    for number, router in enumerate(("second", "third")):
        add_router(cloud, router, "203.0.1")
        vpns.append(add_vpn(cloud, f"v{number}", router, f"203.0.1.{101 + number}", number))
    made = [
        add_operator_container(cloud, name, "own", router="second", address=f"203.0.1.{number}")
        for name, number in zip("abc", range(103, 106), strict=True)
    ]
    cloud.settle(CHASSIS)
    wanted = st.sampled_from((*(f"203.0.1.{each}" for each in range(101, 108)), "banana"))
    for _ in range(8):
        for _ in range(data.draw(st.integers(1, 4))):
            address = data.draw(wanted)
            uuid = data.draw(st.sampled_from((*vpns, *made)))
            if uuid in vpns:
                cloud.change(VPNService, uuid, external_ips=(address,))
            else:
                configuration = {"router": "second", "address": address}
                cloud.change(nb.ServiceContainer, uuid, configuration=configuration)
        cloud.settle(CHASSIS)
        counts = Counter(row.external_ip for row in cloud.rows(ovn.NAT) if row.type != "snat")
        assert all(count == 1 for count in counts.values()), counts


def test_a_vpn_does_not_get_the_address_of_another_type(cloud: MemoryCloud, site: Site) -> None:
    add(cloud, "m", FREE)
    before = cloud.see((site.container,))
    uuid = cloud.add(
        VPNService,
        name="second",
        router="tenant",
        external_ips=(FREE,),
        local_subnets=("192.168.1.0/24",),
    )
    cloud.settle(CHASSIS)
    message = cloud.tables[VPNService][uuid].status_message
    assert message == f"external address {FREE} is already used by container m"
    assert cloud.see((site.container,)) == before


def test_the_type_of_a_holder_goes(cloud: MemoryCloud, site: Site) -> None:
    # As after an upgrade on central: svc-northd starts without the type.
    add(cloud, "m", FREE)
    left = MemoryCloud({"ipsec": HALF})
    for row_class in left.tables:
        for row in cloud.rows(row_class):
            left.put(row)
    for name in CHASSIS:
        left.set_verdict(name)
    add_router(left, "another", "203.0.2")
    left.add(VPNService, name="x", router="another", external_ips=(FREE,))
    left.settle(CHASSIS)
    assert find_owners(left)[FREE] == "m"


# -- what must not leave in clear ------------------------------------------------


def count_drops(cloud: MemoryCloud, peer: str) -> int:
    return sum(row.action == "drop" and peer in row.match for row in cloud.rows(ovn.RouterPolicy))


def add_vpn(cloud: MemoryCloud, name: str, router: str, address: str, number: int) -> UUID:
    """Adds a VPN with a connection to 10.200.NUMBER.0/24."""
    return cloud.add(
        VPNService,
        name=name,
        router=router,
        external_ips=(address,),
        local_subnets=("192.168.1.0/24",),
        connections=(add_connection(cloud, number),),
    )


def test_a_vpn_that_is_refused_an_address_drops_and_says_why(
    cloud: MemoryCloud, site: Site
) -> None:
    add_router(cloud, "second", "203.0.1")
    add(cloud, "m", FREE)
    refused = add_vpn(cloud, "late", "second", FREE, 8)
    cloud.settle(CHASSIS)
    assert count_drops(cloud, "10.200.8.0/24") == 3
    row = cloud.tables[VPNService][refused]
    assert row.status_message == f"external address {FREE} is already used by container m"


def test_a_container_that_is_refused_as_a_whole_drops_for_each_connection(
    cloud: MemoryCloud,
) -> None:
    """What one service of a router cannot have holds up another one, and both say so."""
    for router in ("second", "third"):
        add_router(cloud, router, "203.0.1")
    holder = add_vpn(cloud, "holder", "third", ANOTHER, 4)
    mover = add_vpn(cloud, "mover", "second", FREE, 6)
    cloud.settle(CHASSIS)
    cloud.change(VPNService, holder, external_ips=("banana",))
    cloud.settle(CHASSIS)
    cloud.change(VPNService, mover, external_ips=(ANOTHER,))
    cloud.settle(CHASSIS)
    newcomer = add_vpn(cloud, "newcomer", "third", FREE, 8)
    cloud.settle(CHASSIS)
    assert count_drops(cloud, "10.200.8.0/24") == 4
    message = cloud.tables[VPNService][newcomer].status_message
    assert f"external address {FREE} is already used by container vpn-" in message


def test_a_row_of_ours_that_somebody_deletes_gives_no_address_away(
    cloud: MemoryCloud, site: Site
) -> None:
    add(cloud, "a", VPN_ADDRESS)
    (row,) = (row for row in cloud.rows(ovn.NAT) if row.external_ip == VPN_ADDRESS)
    cloud.remove(ovn.NAT, row.uuid)
    cloud.settle(CHASSIS)
    assert find_owners(cloud) == {VPN_ADDRESS: site.container}


def test_a_vpn_that_changes_its_router_is_never_without_drops(
    cloud: MemoryCloud, site: Site
) -> None:
    add_router(cloud, "second", "203.0.1")
    (service,) = cloud.rows(VPNService)
    (peer,) = cloud.tables[IPsecConnection][service.connections[0]].peer_subnets
    drops = count_drops(cloud, peer)
    cloud.change(VPNService, service.uuid, router="second")
    cloud.run()
    cloud.write()
    assert count_drops(cloud, peer) >= drops
    cloud.settle(CHASSIS)
    assert count_drops(cloud, peer) == drops
