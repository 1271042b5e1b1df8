"""Rows of others, lost rows and refused ones beside a VPN that runs: nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest

from ..lib.northd_lock import SOUTHBOUND_KEY
from .cloud import Cloud


@pytest.fixture
def cloud(served_cloud: Cloud) -> Cloud:
    """A cloud with a VPN that runs."""
    return served_cloud


def test_second_router_of_the_name_changes_nothing(cloud: Cloud) -> None:
    before = cloud.find(cloud.sb, "Container_Binding")["_uuid"]
    cloud.ovn.insert("Logical_Router", name="tenant-router")
    cloud.settle()
    assert cloud.find(cloud.sb, "Container_Binding")["_uuid"] == before
    assert cloud.find(cloud.nb, "VPN_Service")["status"] == "down"


def test_keys_of_others_on_our_rows_stay(cloud: Cloud) -> None:
    rows = cloud.ovn.rows("Logical_Switch")
    ids = [*rows[0]["external_ids"][1], ["owner", "somebody"]]
    cloud.ovn.update("Logical_Switch", [], external_ids=["map", ids], name="renamed")
    cloud.settle()
    row = cloud.find(cloud.ovn, "Logical_Switch")
    assert dict(row["external_ids"][1])["owner"] == "somebody"
    assert row["name"].startswith("svc-vpn-")


@pytest.mark.parametrize("networks", ["foo", "fd00::1/64"])
def test_unreadable_transit_is_made_anew(cloud: Cloud, networks: Any) -> None:
    name = cloud.find(cloud.sb, "Container_Binding")["container"]
    cloud.ovn.update("Logical_Router_Port", [["name", "==", f"{name}-lrp"]], networks=networks)
    cloud.settle()
    row = cloud.find(cloud.ovn, "Logical_Router_Port", name=f"{name}-lrp")
    assert row["networks"] == "169.254.0.1/30"


@pytest.mark.parametrize("number", ["²", "9" * 5000, "-1", ""])
def test_rubbish_for_numbers(cloud: Cloud, number: str) -> None:
    cloud.logs.allow("not a number")
    ids = ["map", [["ovnsvc-nb-cfg", number], ["ovnsvc-ovn-nb-cfg", number]]]
    cloud.ovn.update("NB_Global", [], external_ids=ids)
    options = ["map", [["heartbeat-interval", number]]]
    cloud.nb.update("SVC_Global", [], options=options, nb_cfg=3)
    cloud.wait_for(lambda: cloud.nb.rows("SVC_Global")[0]["hv_cfg"] == 3, "hv_cfg")
    # Whose the lock is was among what was overwritten.
    cloud.wait_for(lambda: SOUTHBOUND_KEY in _read_ids(cloud), "the note of the lock")


def _read_ids(cloud: Cloud) -> dict[str, str]:
    return dict(cloud.find(cloud.ovn, "NB_Global")["external_ids"][1])


def test_lost_northbound_is_no_order_to_end_everything(cloud: Cloud) -> None:
    cloud.logs.allow("nothing is written: SVC_Northbound has no SVC_Global row")
    before = cloud.sb.dump()["Container_Binding"]
    saved = cloud.nb.dump()
    cloud.nb.transact(
        *({"op": "delete", "table": table, "where": []} for table in saved if saved[table])
    )
    cloud.wait_for(lambda: cloud.logs.messages[-1][0] == "warn", "the warning")
    assert cloud.sb.dump()["Container_Binding"] == before
    assert len(cloud.ovn.rows("Logical_Router_Policy")) == 6
    cloud.nb.insert("SVC_Global")
    cloud.wait_for(lambda: cloud.nb.rows("SVC_Global")[0]["external_ids"][1], "who leads it")
    cloud.settle()
    assert cloud.sb.rows("Container_Binding") == []


def test_lost_southbound_is_filled_as_it_was(cloud: Cloud) -> None:
    cloud.logs.allow("nothing is written: SVC_Southbound is new")
    where = cloud.find(cloud.sb, "Container_Binding")["chassis"]
    chassis = {row["name"]: row for row in cloud.sb.rows("Chassis")}
    tables = ("Container_Binding", "Port_Binding", "SB_Global", "Chassis", "Chassis_Private")
    cloud.sb.transact(*({"op": "delete", "table": table, "where": []} for table in tables))
    cloud.wait_for(lambda: cloud.logs.messages[-1][0] == "warn", "the warning")
    assert cloud.sb.rows("SB_Global") == []
    for row in chassis.values():
        kept = {name: row[name] for name in ("name", "service_types", "public_key")}
        cloud.sb.insert("Chassis", **kept)
        cloud.sb.insert("Chassis_Private", name=row["name"], incarnation="2", heartbeat=1)
    cloud.settle()
    assert cloud.find(cloud.sb, "Container_Binding")["chassis"] == where


def test_refusal_is_forgotten_with_its_cause(cloud: Cloud) -> None:
    cloud.logs.allow("OVN_Northbound: transaction refused")
    other = cloud.add_router("other", gateway="2.0.0.2/24", inside="192.168.9.1/24")
    taken = f"vpn-{other.replace('-', '')[:11]}-lrp"
    port = {"name": taken, "networks": "9.9.9.1/24", "mac": "0a:00:00:00:00:09"}
    cloud.ovn.transact(
        {
            "op": "insert",
            "table": "Logical_Router",
            "row": {"name": "cms", "ports": ["named-uuid", "p"]},
        },
        {"op": "insert", "table": "Logical_Router_Port", "uuid-name": "p", "row": port},
    )
    settings = {"external_ips": "2.0.0.100", "local_subnets": "192.168.9.0/24"}
    vpn = cloud.add_vpn("mars", "other", **settings)
    cloud.add_connection(vpn, "to-venus")
    name = taken.removesuffix("-lrp")

    def find_status() -> str:
        rows = cloud.nb.rows("Service_Container", [["name", "==", name]])
        return str(rows[0]["status_message"]) if rows else ""

    cloud.wait_for(lambda: find_status().startswith("OVN_Northbound refused"), "the refusal")
    assert "UUID" not in find_status()
    cloud.wait_for(lambda: "; tried again after " in find_status(), "the next try")
    # What fails closed does not wait for what is refused, nor does anybody else.
    assert len(cloud.find_policies(other, "drop")) == 4
    cloud.nb.update("SVC_Global", [], nb_cfg=5)
    cloud.wait_for(lambda: cloud.nb.rows("SVC_Global")[0]["hv_cfg"] == 5, "hv_cfg")
    cloud.nb.delete("VPN_Service", [["name", "==", "mars"]])
    cloud.settle()
    cloud.ovn.delete("Logical_Router", [["name", "==", "cms"]])
    cloud.add_connection(cloud.add_vpn("mars", "other", **settings), "to-venus")
    cloud.settle()
    assert find_status() == "as told"


def test_only_one_northd_writes(cloud: Cloud) -> None:
    second = cloud.start_northd()
    cloud.settle(cloud.northd, second)
    assert [each.active for each in (cloud.northd, second)] == [True, False]
    cloud.northd.set_paused(True)
    cloud.settle(cloud.northd, second)
    assert [each.active for each in (cloud.northd, second)] == [False, True]
    cloud.northd.close()
    cloud.northd = second


def test_a_group_whose_standbys_cannot_be_read_serves_and_says_so(cloud: Cloud) -> None:
    group = cloud.nb.insert("Container_Group", name="odd", options=["map", [["standby", "-1"]]])
    cloud.add_router("other", gateway="2.0.0.2/24", inside="192.168.9.1/24")
    cloud.add_vpn("mars", "other", external_ips="2.0.0.100", group=["uuid", group])
    cloud.settle()
    rows = cloud.nb.rows("Service_Container")
    words = "group odd: options:standby is '-1', not 0 to 8; each container has as many standbys"
    assert {row["status_code"] for row in rows} == {"running"}
    assert sum(words in row["status_message"] for row in rows) == 1


def test_address_of_another_router_is_refused(cloud: Cloud) -> None:
    cloud.add_router("other", gateway="1.0.0.9/24", inside="192.168.9.1/24")
    cloud.add_vpn("mars", "other", external_ips="1.0.0.2", local_subnets="192.168.9.0/24")
    cloud.settle()
    row = cloud.find(cloud.nb, "VPN_Service", name="mars")
    assert row["status_message"] == "external address 1.0.0.2 is used by router tenant-router"
