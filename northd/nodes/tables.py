"""The sources of the compile step: rows by UUID, facts by key, and what finds rows by a word."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any
from uuid import UUID

from ...lib import nb, sb
from ...lib.rows import Row
from ...services.api.balancers import LOAD_BALANCER, LOAD_BALANCER_GROUP
from ...services.api.node import AnyNode, Datum, Index
from ...services.api.outside import OUTSIDE_CHASSIS, OUTSIDE_PORT
from ..liveness import Verdict
from ..options import Options
from ..ovn import outside
from ..ovn import rows as ovn
from ..ovn import southbound as ovn_sb
from ..scheduler.build_queue import Spot
from ..scheduler.ovn_wait import Word

# -- rows ----------------------------------------------------------------------

CHASSIS_WORD: Datum[UUID, nb.Chassis] = Datum("nb.Chassis")
CONTAINER_GROUP: Datum[UUID, nb.ContainerGroup] = Datum("nb.Container_Group")
CHASSIS_GROUP: Datum[UUID, nb.ChassisGroup] = Datum("nb.Chassis_Group")
PORT_GROUP: Datum[UUID, nb.PortGroup] = Datum("nb.Port_Group")
SERVICE_CONTAINER: Datum[UUID, nb.ServiceContainer] = Datum("nb.Service_Container")
CONTAINER_WISH: Datum[UUID, nb.ContainerWish] = Datum("nb.Container_Wish")
# Of those rows the ones that count though the database has them no more (sync/content.py).
VANISHED: Datum[UUID, bool] = Datum("vanished")

CHASSIS: Datum[UUID, sb.Chassis] = Datum("sb.Chassis")
PORT_BINDING: Datum[UUID, sb.PortBinding] = Datum("sb.Port_Binding")
CONTAINER_BINDING: Datum[UUID, sb.ContainerBinding] = Datum("sb.Container_Binding")
AVOIDED_CHASSIS: Datum[UUID, sb.AvoidedChassis] = Datum("sb.Avoided_Chassis")
PLACEMENT: Datum[UUID, sb.Placement] = Datum("sb.Placement")
CONTAINER_ITEM: Datum[UUID, sb.ContainerItem] = Datum("sb.Container_Item")

LOGICAL_ROUTER: Datum[UUID, ovn.LogicalRouter] = Datum("ovn.Logical_Router")
LOGICAL_ROUTER_PORT: Datum[UUID, ovn.LogicalRouterPort] = Datum("ovn.Logical_Router_Port")
STATIC_ROUTE: Datum[UUID, ovn.StaticRoute] = Datum("ovn.Logical_Router_Static_Route")
ROUTER_POLICY: Datum[UUID, ovn.RouterPolicy] = Datum("ovn.Logical_Router_Policy")
NAT: Datum[UUID, ovn.NAT] = Datum("ovn.NAT")
# Ours, and those that lead to load balancers (CONDITIONS).
LOGICAL_SWITCH: Datum[UUID, ovn.LogicalSwitch] = Datum("ovn.Logical_Switch")
LOGICAL_SWITCH_PORT: Datum[UUID, ovn.LogicalSwitchPort] = Datum("ovn.Logical_Switch_Port")

OVN_PORT_BINDING: Datum[UUID, ovn_sb.PortBinding] = Datum("ovn_sb.Port_Binding")
OVN_CHASSIS: Datum[UUID, ovn_sb.Chassis] = Datum("ovn_sb.Chassis")

# The tables of each database that the engine follows; those of service types come to "nb".
TABLES: dict[str, dict[type[Row], Datum[UUID, Any]]] = {
    "nb": {
        nb.Chassis: CHASSIS_WORD,
        nb.ContainerGroup: CONTAINER_GROUP,
        nb.ChassisGroup: CHASSIS_GROUP,
        nb.PortGroup: PORT_GROUP,
        nb.ServiceContainer: SERVICE_CONTAINER,
        nb.ContainerWish: CONTAINER_WISH,
    },
    "sb": {
        sb.Chassis: CHASSIS,
        sb.PortBinding: PORT_BINDING,
        sb.ContainerBinding: CONTAINER_BINDING,
        sb.AvoidedChassis: AVOIDED_CHASSIS,
        sb.Placement: PLACEMENT,
        sb.ContainerItem: CONTAINER_ITEM,
    },
    "ovn": {
        ovn.LogicalRouter: LOGICAL_ROUTER,
        ovn.LogicalRouterPort: LOGICAL_ROUTER_PORT,
        ovn.StaticRoute: STATIC_ROUTE,
        ovn.RouterPolicy: ROUTER_POLICY,
        ovn.NAT: NAT,
        ovn.LogicalSwitch: LOGICAL_SWITCH,
        ovn.LogicalSwitchPort: LOGICAL_SWITCH_PORT,
        ovn.LoadBalancer: LOAD_BALANCER,
        ovn.LoadBalancerGroup: LOAD_BALANCER_GROUP,
    },
    "ovn_sb": {
        ovn_sb.PortBinding: OVN_PORT_BINDING,
        ovn_sb.Chassis: OVN_CHASSIS,
    },
    "outside": {
        outside.PortBinding: OUTSIDE_PORT,
        outside.Chassis: OUTSIDE_CHASSIS,
    },
}

# -- facts -----------------------------------------------------------------------

# Of a datum that has one value, the key.
ONLY = ""

OPTIONS: Datum[str, Options] = Datum("options")
# By the name of a chassis: what svc-northd thinks of it, and the nb_cfg that it has reached.
VERDICT: Datum[str, Verdict] = Datum("verdict")
CHASSIS_CFG: Datum[str, int] = Datum("chassis_cfg")
# When the time of a container that is queued on a chassis began anew, by the monotonic clock.
QUEUE_START: Datum[Spot, int] = Datum("queue_start")
# By container: whether OVN has compiled what it waits for; a sentence while OVN does not follow.
OVN_WORD: Datum[str, Word] = Datum("ovn_word")
OVN_PROBLEM: Datum[str, str] = Datum("ovn_problem")
# By the name of a chassis that went silent with many others: HELD or PACED of mass_failure.py.
MASS_FAILURE: Datum[str, str] = Datum("mass_failure")
# What the containers that are lost on those wait for, in words; the ones that wait no more.
HOLD: Datum[str, str] = Datum("hold")
HAS_TURN: Datum[str, bool] = Datum("has_turn")
# Which watch of this svc-northd this is: it is another whenever it begins to watch.
WATCH: Datum[str, int] = Datum("watch")
# Has one value, always, for what is computed once for everybody.
ROOT: Datum[str, bool] = Datum("root")
# The ports of OVN whose rows are all there.
KNOWN_PORTS: Datum[str, frozenset[str]] = Datum("known_ports")
# A sentence on an owner whose rows OVN_Northbound refuses.
REFUSED: Datum[str, str] = Datum("refused")
# Why the southbound refuses to remove the rows of a chassis, by its name.
REMOVAL_PROBLEM: Datum[str, str] = Datum("removal_problem")

# -- what finds rows by a word ------------------------------------------------------

CHASSIS_WORD_BY_NAME: Datum[str, AbstractSet[UUID]] = Datum("nb.Chassis by name")
WISH_BY_NAME: Datum[str, AbstractSet[UUID]] = Datum("nb.Container_Wish by name")
SERVICE_CONTAINER_BY_NAME: Datum[str, AbstractSet[UUID]] = Datum("nb.Service_Container by name")
CHASSIS_BY_NAME: Datum[str, AbstractSet[UUID]] = Datum("sb.Chassis by name")
PORTS_BY_CONTAINER: Datum[str, AbstractSet[UUID]] = Datum("sb.Port_Binding by container")
BINDINGS_BY_CONTAINER: Datum[str, AbstractSet[UUID]] = Datum("sb.Container_Binding by container")
AVOIDED_BY_CONTAINER: Datum[str, AbstractSet[UUID]] = Datum("sb.Avoided_Chassis by container")
PLACEMENTS_BY_CONTAINER: Datum[str, AbstractSet[UUID]] = Datum("sb.Placement by container")
ITEMS_BY_CONTAINER: Datum[str, AbstractSet[UUID]] = Datum("sb.Container_Item by container")
OWN_POLICIES: Datum[str, AbstractSet[UUID]] = Datum("ovn.Logical_Router_Policy by container")
REROUTE_BY_CONTAINER: Datum[str, AbstractSet[UUID]] = Datum("ovn reroutes by container")
OVN_PORT_BY_NAME: Datum[str, AbstractSet[UUID]] = Datum("ovn_sb.Port_Binding by logical port")


def _find_name(_uuid: UUID, row: Any) -> Iterable[str]:
    return (row.name,)


def _find_container(_uuid: UUID, row: Any) -> Iterable[str]:
    return (row.container,)


def _find_policy_container(_uuid: UUID, row: ovn.RouterPolicy) -> Iterable[str]:
    key = ovn.find_key(row.external_ids)
    return () if key is None else (key.partition("/")[0],)


def _find_rerouted(_uuid: UUID, row: ovn.RouterPolicy) -> Iterable[str]:
    key = ovn.find_key(row.external_ids)
    return (key.partition("/")[0],) if key and row.action == "reroute" else ()


INDEXES: tuple[AnyNode, ...] = (
    Index(CHASSIS_WORD_BY_NAME, CHASSIS_WORD, _find_name),
    Index(WISH_BY_NAME, CONTAINER_WISH, _find_name),
    Index(SERVICE_CONTAINER_BY_NAME, SERVICE_CONTAINER, _find_name),
    Index(CHASSIS_BY_NAME, CHASSIS, _find_name),
    Index(PORTS_BY_CONTAINER, PORT_BINDING, _find_container),
    Index(BINDINGS_BY_CONTAINER, CONTAINER_BINDING, _find_container),
    Index(AVOIDED_BY_CONTAINER, AVOIDED_CHASSIS, _find_container),
    Index(PLACEMENTS_BY_CONTAINER, PLACEMENT, _find_container),
    Index(ITEMS_BY_CONTAINER, CONTAINER_ITEM, _find_container),
    Index(OWN_POLICIES, ROUTER_POLICY, _find_policy_container),
    Index(REROUTE_BY_CONTAINER, ROUTER_POLICY, _find_rerouted),
    Index(OVN_PORT_BY_NAME, OVN_PORT_BINDING, lambda _uuid, row: (row.logical_port,)),
)


def find_rows(read: Any, table: Datum[UUID, Any], uuids: AbstractSet[UUID] | None) -> list[Any]:
    """Returns the rows of 'table' with these UUIDs, in their order."""
    if not uuids:  # mostly, and to sort and read none takes as long as a look-up
        return []
    rows = (read(table, uuid) for uuid in sorted(uuids))
    return [row for row in rows if row is not None]
