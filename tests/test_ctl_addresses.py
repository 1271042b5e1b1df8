"""svcctl refuses an external address that somebody else in OVN answers for."""

from __future__ import annotations

from typing import Any

import pytest

from ..ctl.db.rpc import Client
from .ovsdb import Databases
from .svcctl import Svcctl, add_router

ADDRESS = "1.0.0.100"
MANY = 300


@pytest.fixture
def cloud(databases: Databases, svcctl: Svcctl) -> Databases:
    """Two routers of one network outside, and one of another."""
    add_router(databases, "tenant-router", "1.0.0.2/24")
    add_router(databases, "other", "1.0.0.12/24")
    add_router(databases, "far", "1.0.0.13/28")
    svcctl.good("init")
    return databases


def attach(cloud: Databases, holder: tuple[str, str], column: str, *rows: dict[str, Any]) -> None:
    """Adds rows, of which the last comes into a set of the row 'holder', by table and name."""
    table, name = holder
    mutation = [column, "insert", ["set", [["named-uuid", f"row{len(rows) - 1}"]]]]
    where = [["name", "==", name]]
    inserts = [
        {"op": "insert", "uuid-name": f"row{number}", **row} for number, row in enumerate(rows)
    ]
    mutate = {"op": "mutate", "table": table, "where": where, "mutations": [mutation]}
    cloud.ovn_nb.transact(*inserts, mutate)


def add_vpn(svcctl: Svcctl, address: str = ADDRESS) -> str:
    """Returns why it is refused, "" if it is not."""
    words = ("vpn-add", "mercury", "tenant-router", address, "192.168.1.0/24")
    return svcctl(*words).stderr.strip()


def test_an_address_that_nobody_has_is_taken(cloud: Databases, svcctl: Svcctl) -> None:
    assert add_vpn(svcctl) == ""


@pytest.mark.parametrize(
    ("router", "kind", "refused"),
    [
        ("other", "dnat_and_snat", True),
        ("other", "snat", True),
        ("far", "dnat_and_snat", False),
    ],
)
def test_nat_of_another_router(
    cloud: Databases, svcctl: Svcctl, router: str, kind: str, refused: bool
) -> None:
    nat = {"type": kind, "external_ip": ADDRESS, "logical_ip": "10.0.0.5"}
    attach(cloud, ("Logical_Router", router), "nat", {"table": "NAT", "row": nat})
    said = add_vpn(svcctl)
    assert (f"external address {ADDRESS} is used by router other" in said) == refused
    assert (cloud.nb.rows("VPN_Service") == []) == refused


def test_the_port_of_another_router(cloud: Databases, svcctl: Svcctl) -> None:
    said = add_vpn(svcctl, "1.0.0.12")
    assert "external address 1.0.0.12 is used by router other" in said


@pytest.mark.parametrize("router", ["tenant-router", "other", "far"])
@pytest.mark.parametrize("group", [False, True])
def test_a_load_balancer(cloud: Databases, svcctl: Svcctl, router: str, group: bool) -> None:
    row = {"vips": ["map", [[f"{ADDRESS}:80", "10.0.0.1:80"], ["junk", ""]]]}
    rows: list[dict[str, Any]] = [{"table": "Load_Balancer", "row": row}]
    if group:
        named = {"name": "all", "load_balancer": ["named-uuid", "row0"]}
        rows.append({"table": "Load_Balancer_Group", "row": named})
    column = "load_balancer_group" if group else "load_balancer"
    attach(cloud, ("Logical_Router", router), column, *rows)
    words = f"external address {ADDRESS} is used by a load balancer of router {router}"
    assert (words in add_vpn(svcctl)) == (router != "far")


@pytest.mark.parametrize("addresses", [f"02:00:00:00:00:09 {ADDRESS}", f"x 10.9.9.9 {ADDRESS}"])
def test_a_port_of_the_switch_outside(cloud: Databases, svcctl: Svcctl, addresses: str) -> None:
    cloud.ovn_nb.insert("Logical_Switch", name="provider")
    gateway = next(
        row["name"]
        for row in cloud.ovn_nb.rows("Logical_Router_Port")
        if row["networks"] == "1.0.0.2/24"
    )
    joint = {"name": "joint", "type": "router", "options": ["map", [["router-port", gateway]]]}
    attach(
        cloud,
        ("Logical_Switch", "provider"),
        "ports",
        {"table": "Logical_Switch_Port", "row": joint},
    )
    assert add_vpn(svcctl, "1.0.0.101") == ""
    guest = {"name": "guest", "addresses": addresses}
    attach(
        cloud,
        ("Logical_Switch", "provider"),
        "ports",
        {"table": "Logical_Switch_Port", "row": guest},
    )
    svcctl.good("vpn-del", "mercury")
    words = f"external address {ADDRESS} is used by port guest of switch provider"
    assert words in add_vpn(svcctl)
    assert cloud.nb.rows("VPN_Service") == []


def test_the_peer_of_a_connection_of_the_router(cloud: Databases, svcctl: Svcctl) -> None:
    """On another router it may be: two of a cloud may have a VPN with each other."""
    svcctl.good("vpn-add", "venus", "tenant-router", "1.0.0.101", "192.168.1.0/24")
    words = ("conn-add", "venus", "c", ADDRESS, "10.8.0.0/16", "--psk-file=/etc/hostname")
    svcctl.good(*words)
    assert add_vpn(svcctl).endswith(
        f"external address {ADDRESS} is the peer address of connection c"
    )
    assert len(cloud.nb.rows("VPN_Service")) == 1
    svcctl.good("vpn-add", "mars", "other", ADDRESS, "192.168.9.0/24")


def test_one_outside_of_the_networks_is_warned_of(cloud: Databases, svcctl: Svcctl) -> None:
    done = svcctl("vpn-add", "mercury", "tenant-router", "9.9.9.9", "192.168.1.0/24")
    assert (done.status, done.stderr) == (
        0,
        "svcctl: warning: mercury: external address 9.9.9.9 is in no network of a gateway port of"
        " router tenant-router: others must have a route to it by that router\n",
    )


def test_a_router_with_an_address_of_the_other_version_only(
    cloud: Databases, svcctl: Svcctl
) -> None:
    add_router(cloud, "sixth", "fd00::2/64")
    said = svcctl.bad("vpn-add", "mercury", "sixth", ADDRESS, "192.168.1.0/24")
    assert said == "mercury: router sixth has no IPv4 address on a gateway port"


def test_a_local_subnet_that_is_not_behind_the_router_is_warned_of(
    cloud: Databases, svcctl: Svcctl
) -> None:
    done = svcctl("vpn-add", "mercury", "tenant-router", ADDRESS, "9.9.0.0/16")
    assert (done.status, done.stderr) == (
        0,
        "svcctl: warning: mercury: local subnet 9.9.0.0/16 is not behind router tenant-router:"
        " no network or route of it is\n",
    )


def test_with_no_check_everything_is_believed(cloud: Databases, svcctl: Svcctl) -> None:
    svcctl.good("--no-check", "vpn-add", "mercury", "tenant-router", "1.0.0.12", "192.168.1.0/24")


@pytest.mark.parametrize("many", [0, MANY])
def test_what_is_asked_does_not_grow_with_the_routers(
    cloud: Databases, svcctl: Svcctl, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    joint = {"type": "router", "addresses": "router", "options": ["map", [["router-port", "r"]]]}
    ports = [{"name": f"joint{number}", **joint} for number in range(many)]
    ours = {**joint, "options": ["map", [["router-port", "tenant-router-gw"]]]}
    ports += [{"name": "ours", **ours}, {"name": "guest", "addresses": f"x {ADDRESS}"}]
    table = "Logical_Switch_Port"
    named = ["set", [["named-uuid", f"port{number}"] for number in range(len(ports))]]
    cloud.ovn_nb.transact(
        *(
            {"op": "insert", "table": table, "uuid-name": f"port{number}", "row": row}
            for number, row in enumerate(ports)
        ),
        {"op": "insert", "table": "Logical_Switch", "row": {"name": "provider", "ports": named}},
    )
    asked: list[int] = []
    given: list[Any] = []
    transact = Client.transact

    def count(client: Client, operations: Any) -> list[Any]:
        listed = list(operations)
        results = transact(client, listed)
        if client.database == "OVN_Northbound":
            asked.append(len(listed))
            given.extend(row for each in results for row in each.get("rows", ()))
        return results

    monkeypatch.setattr(Client, "transact", count)
    assert f"external address {ADDRESS} is used by port guest of switch provider" in add_vpn(svcctl)
    assert (len(asked) <= 10, sum(asked) <= 20, len(given) <= 20) == (True,) * 3, (asked, given)
