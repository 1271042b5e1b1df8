"""An address is of one container also where OVN_Northbound refuses what its holder is to have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .cloud import Cloud
from .ovsdb import Databases, find_schema
from .sessions import OUTAGE

HELD, REFUSED = "1.0.0.100", "1.0.0.120"


def make_schema(refused: bool) -> dict[str, Any]:
    """Returns OVN_Northbound's schema, with 'refused' one that takes no NAT rule of REFUSED."""
    schema: dict[str, Any] = json.loads(Path(find_schema("OVN_Northbound")).read_text("utf-8"))
    if refused:
        known = ["set", [HELD, "1.0.0.110", "1.0.0.2", "1.0.0.12"]]
        kind = {"key": {"type": "string", "enum": known}}
        schema["tables"]["NAT"]["columns"]["external_ip"]["type"] = kind
    return schema


def find_addresses(cloud: Cloud) -> list[str]:
    rows = cloud.ovn.rows("NAT", [["type", "==", "dnat_and_snat"]])
    return sorted(row["external_ip"] for row in rows)


def find_outer_addresses(cloud: Cloud, service: str) -> list[str]:
    """Returns with which addresses the container of a service is configured."""
    (row,) = cloud.nb.rows("Service_Container", [["serves", "includes", service]])
    binding = cloud.find(cloud.sb, "Container_Binding", container=row["name"])
    found: list[str] = json.loads(binding["configuration"])["outer_addresses"]
    return found


def test_who_does_not_get_its_new_address_keeps_the_old_one(
    served_cloud: Cloud, databases: Databases
) -> None:
    cloud = served_cloud
    cloud.add_router("another", gateway="1.0.0.12/24", inside="192.168.9.1/24")
    second = cloud.add_vpn(
        "second", "another", external_ips="1.0.0.110", local_subnets="192.168.9.0/24"
    )
    cloud.add_connection(second, "to-mars", peer_subnets="192.168.77.0/24")
    cloud.settle()
    assert find_addresses(cloud) == [HELD, "1.0.0.110"]
    for pattern in (OUTAGE, "transaction refused"):
        cloud.logs.allow(pattern)
    cloud.ovn.convert(make_schema(refused=True))
    cloud.settle()
    cloud.nb.transact(
        *(
            {
                "op": "update",
                "table": "VPN_Service",
                "where": [["name", "==", name]],
                "row": {"external_ips": address},
            }
            for name, address in (("mercury", REFUSED), ("second", HELD))
        )
    )
    kept = f"still as configured before: external address {HELD} is still that of container vpn-"

    def find_message() -> str:
        (row,) = cloud.nb.rows("Service_Container", [["serves", "includes", second]])
        return str(row["status_message"])

    cloud.wait_for(lambda: kept in find_message(), "the word of it")
    assert find_addresses(cloud) == [HELD, "1.0.0.110"]
    # Its chassis goes on with the address that it has.
    assert find_outer_addresses(cloud, second) == ["1.0.0.110"]
    cloud.ovn.convert(make_schema(refused=False))
    cloud.wait_for(lambda: find_addresses(cloud) == [HELD, REFUSED], "both new ones")
    cloud.settle()
    assert "still" not in find_message()
    assert find_outer_addresses(cloud, second) == [HELD]
