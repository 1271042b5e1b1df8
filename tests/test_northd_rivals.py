"""Foreign policies as high as ours, which may lead traffic around a tunnel: they are named."""

from __future__ import annotations

import pytest

from ..lib.router import is_ours
from ..northd.nodes.en_redirect import PRIORITIES
from ..northd.ovn import rows as ovn
from .cloud import Cloud

MATCH = "ip4.src == 192.168.1.0/24"
AROUND = "may lead traffic around, being as high as those of svc-northd"
ROWS = ("IPsec_Connection", "VPN_Service", "Service_Container")


@pytest.fixture
def cloud(vpn_cloud: Cloud) -> Cloud:
    return vpn_cloud


def _add_policy(cloud: Cloud, priority: int, action: str, router: str = "tenant-router") -> None:
    row = {"priority": priority, "match": MATCH, "action": action}
    mutation = ["policies", "insert", ["set", [["named-uuid", "new"]]]]
    where = [["name", "==", router]]
    cloud.ovn.transact(
        {"op": "insert", "table": "Logical_Router_Policy", "uuid-name": "new", "row": row},
        {"op": "mutate", "table": "Logical_Router", "where": where, "mutations": [mutation]},
    )
    cloud.settle()


def _find_told(cloud: Cloud, words: str) -> list[str]:
    """Returns the tables on whose rows these words stand."""
    return [table for table in ROWS if words in cloud.find(cloud.nb, table)["status_message"]]


def test_no_policy_of_ours_is_lower_than_those_that_are_looked_at() -> None:
    assert set(PRIORITIES.values()) == set(range(ovn.LOWEST_PRIORITY, ovn.HIGHEST_PRIORITY + 1))


@pytest.mark.parametrize("priority", [32765, 32766, 32767])
@pytest.mark.parametrize("action", ["allow", "reroute"])
def test_a_policy_as_high_as_ours_is_named_on_every_row(
    cloud: Cloud, priority: int, action: str
) -> None:
    _add_policy(cloud, priority, action)
    words = f"policy {priority} {MATCH} of router tenant-router {AROUND}"
    assert _find_told(cloud, words) == list(ROWS)
    row = cloud.find(cloud.ovn, "Logical_Router_Policy", priority=priority, match=MATCH)
    mutation = ["policies", "delete", ["set", [row["_uuid"]]]]
    cloud.ovn.transact(
        {"op": "mutate", "table": "Logical_Router", "where": [], "mutations": [mutation]}
    )
    cloud.settle()
    assert _find_told(cloud, "policy") == []


def test_a_tunnel_is_not_up_while_what_is_for_it_may_go_elsewhere(cloud: Cloud) -> None:
    connection = cloud.find(cloud.nb, "IPsec_Connection")["_uuid"][1]
    chassis = cloud.find(cloud.sb, "Container_Binding")["chassis"]
    cloud.chassis[chassis].report_tunnel(connection)
    cloud.settle()
    assert [cloud.find(cloud.nb, table)["status"] for table in ROWS[:2]] == ["up", "up"]
    _add_policy(cloud, 32767, "allow")
    assert [cloud.find(cloud.nb, table)["status"] for table in ROWS[:2]] == ["partial", "partial"]
    cloud.laws()


def test_one_that_drops_is_named_where_it_may_keep_traffic_from_the_tunnel(cloud: Cloud) -> None:
    _add_policy(cloud, 32765, "drop")
    assert _find_told(cloud, "policy") == []
    _add_policy(cloud, 32766, "drop")
    assert _find_told(cloud, f"policy 32766 {MATCH} of router tenant-router may drop") == list(ROWS)


def test_a_connection_that_is_disabled_says_so_too(cloud: Cloud) -> None:
    cloud.nb.update("IPsec_Connection", [], enabled=False)
    _add_policy(cloud, 32767, "allow")
    message = cloud.find(cloud.nb, "IPsec_Connection")["status_message"]
    assert "is disabled; traffic to its peer subnets is dropped; policy 32767" in message


def test_lower_policies_and_those_of_other_routers_are_passed_over(cloud: Cloud) -> None:
    for priority in (1, 100, 32700, 32764):
        _add_policy(cloud, priority, "allow")
    cloud.add_router("other", gateway="2.0.0.2/24")
    _add_policy(cloud, 32767, "allow", "other")
    assert _find_told(cloud, "policy") == []
    rows = cloud.northd.sessions["ovn"].rows(ovn.RouterPolicy).values()
    foreign = [row.priority for row in rows if not is_ours(row.external_ids)]
    assert foreign == [32767], "no others are replicated"


def test_a_rival_costs_its_own_router_only(cloud: Cloud) -> None:
    cloud.add_router("other", gateway="2.0.0.2/24")
    vpn = cloud.add_vpn("venus", "other", external_ips="2.0.0.100")
    cloud.add_connection(vpn, "to-mercury", peer_address="2.0.0.3")
    cloud.settle()
    before = _count_computed(cloud)
    _add_policy(cloud, 32767, "allow", "other")
    after = _count_computed(cloud)
    assert {name: after[name] - before[name] for name in after} == {
        "rival_policies": 1,
        "redirect_problem": 1,
        "vpn_status": 1,
    }


def _count_computed(cloud: Cloud) -> dict[str, int]:
    names = ("rival_policies", "redirect_problem", "vpn_status")
    stats = cloud.northd.engine.stats()
    return {name: stats[name].compute for name in names}
