"""Every node of svc-northd in its order; no logic.

    nb.*, ovn.* ──> router ──> the nodes of each type ──> compiled ──> container
    ovn.* ──> attached_balancers ──┘
    outside.* ─────────────┘
    nb.*, ovn_sb.* ──> port_group ──> group ──> request <─────────────────┤
    nb.*, sb.Chassis, verdict ──> candidate ──┐     │                     │
    sb.* ──> health ──────────────────────────┴──> settled ──> load       │
                                                    │           │         v
                                                    └─> schedule┴─> placement
                                                                      │
         link ──> redirect <── ready <────────────────────────────────┘

The outputs are rows that should be there, by owner: of the southbound, of OVN
and of the northbound.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..lib.rows import Row
from ..services.api.compile import CompileHalf
from ..services.api.node import AnyNode, Datum
from .nodes import (
    en_address_wait,
    en_balancer,
    en_chassis,
    en_container,
    en_group,
    en_health,
    en_hv_cfg,
    en_link,
    en_northbound,
    en_options,
    en_outside,
    en_ovn,
    en_placement,
    en_port_group,
    en_ready,
    en_redirect,
    en_redirect_problem,
    en_router,
    en_sealed,
    en_southbound,
    en_status,
    en_withheld,
    tables,
    type_data,
)
from .scheduler.health import Memory
from .sync import northbound, ovn, southbound

# By database, what each owner of a kind should have.
OUTPUTS: Mapping[str, Mapping[Datum[Any, Any], str]] = {
    "sb": {
        en_southbound.SB_CONTAINER: southbound.CONTAINER,
        en_southbound.SB_REDIRECT: southbound.REDIRECT,
        en_southbound.SB_CHASSIS: southbound.CHASSIS,
    },
    "ovn": {
        en_ovn.OVN_DROP: ovn.DROP,
        en_ovn.OVN_CONTAINER: ovn.CONTAINER,
        en_ovn.OVN_REROUTE: ovn.REROUTE,
    },
    "nb": {
        en_northbound.NB_CONTAINER: northbound.CONTAINER,
        en_northbound.NB_WISH: northbound.WISH,
        en_northbound.NB_CHASSIS: northbound.CHASSIS,
    },
}

# What else tells that something is to be written.
WATCHED: tuple[Datum[Any, Any], ...] = (
    en_hv_cfg.HV_CFG,
    en_health.OVN_WAIT,
    en_withheld.WITHHELD,
    en_chassis.REMOVAL,
    en_chassis.PUBLIC_KEY,
    tables.OPTIONS,
)


def make_nodes(halves: Mapping[str, CompileHalf], memory: Memory) -> tuple[AnyNode, ...]:
    """Returns the nodes, those of the service types among them."""
    types = type_data.make_type_data(halves)
    return (
        *tables.INDEXES,
        *en_options.NODES,
        *en_router.NODES,
        *en_balancer.NODES,
        *en_outside.NODES,
        *en_chassis.NODES,
        *en_port_group.NODES,
        *en_group.NODES,
        *en_container.make_nodes(types),
        *en_health.make_nodes(memory),
        *en_withheld.NODES,
        *en_placement.NODES,
        *en_hv_cfg.NODES,
        *en_sealed.NODES,
        *en_link.NODES,
        *en_address_wait.make_nodes(types),
        *en_ready.NODES,
        *en_redirect.make_nodes(types),
        *en_redirect_problem.NODES,
        *en_status.make_nodes(types),
        *en_southbound.make_nodes(types),
        *en_ovn.make_nodes(types),
        *en_northbound.NODES,
    )


def find_tables(halves: Mapping[str, CompileHalf]) -> dict[str, dict[type[Row], Datum[Any, Any]]]:
    """Returns by database the tables that are followed, and the datum that each is."""
    found = {prefix: dict(each) for prefix, each in tables.TABLES.items()}
    for half in halves.values():
        found["nb"].update(half.tables)
    return found
