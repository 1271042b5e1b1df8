"""Row classes of OVN_Northbound, and the mark of what is ours there (ovn-nb(5)).

Of the tables in which svc-northd makes rows every column is listed, but for
those that OVN itself writes: 'up' and 'dynamic_addresses' of a switch port,
'ipv6_prefix' and 'status' of a router port.  A field's default is what a row of
ours has there unless it is said otherwise, and is put back; behind a column
that not every OVN has is the first version that has it.  Of other tables only
what is read is listed.

Every row that svc-northd makes carries external_ids:ovnsvc=svc-northd, so that
a monitor can be restricted to them, and external_ids:ovnsvc-key, which says
what the row is for.  No row without the mark is ever changed, but for the set
of a Logical_Router that holds ours and the three keys on NB_Global.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID

from ...lib.router import OWNER, OWNER_KEY
from ...lib.rows import Row, find_defaults, keep_keys

DATABASE = "OVN_Northbound"
MARKED_COLUMN = "external_ids"
ROW_KEY = "ovnsvc-key"
OWN_ROWS = [[MARKED_COLUMN, "includes", ["map", [[OWNER_KEY, OWNER]]]]]
# A policy of ours has a priority from here to the highest that there is (Logical_Router_Policy).
LOWEST_PRIORITY = 32765
HIGHEST_PRIORITY = 32767
# What others write beside it, as Neutron does on every row, is not kept.
_MARK = keep_keys(OWNER_KEY, ROW_KEY)


@dataclass(frozen=True, slots=True)
class NBGlobal(Row):
    TABLE: ClassVar[str] = "NB_Global"
    nb_cfg: int
    sb_cfg: int
    external_ids: dict[str, str]


@dataclass(frozen=True, slots=True)
class LogicalRouter(Row):
    TABLE: ClassVar[str] = "Logical_Router"
    name: str
    ports: tuple[UUID, ...]
    static_routes: tuple[UUID, ...]
    policies: tuple[UUID, ...]
    nat: tuple[UUID, ...]
    load_balancer: tuple[UUID, ...]
    load_balancer_group: tuple[UUID, ...]
    options: dict[str, str] = field(metadata=keep_keys("chassis"))


@dataclass(frozen=True, slots=True)
class LogicalRouterPort(Row):
    TABLE: ClassVar[str] = "Logical_Router_Port"
    name: str
    mac: str
    networks: tuple[str, ...]
    external_ids: dict[str, str] = field(metadata=_MARK)
    gateway_chassis: tuple[UUID, ...] = ()
    ha_chassis_group: UUID | None = None
    enabled: bool | None = None
    peer: str | None = None
    ipv6_ra_configs: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    dhcp_relay: UUID | None = None  # 24.03


@dataclass(frozen=True, slots=True)
class StaticRoute(Row):
    TABLE: ClassVar[str] = "Logical_Router_Static_Route"
    ip_prefix: str
    nexthop: str
    external_ids: dict[str, str] = field(metadata=_MARK)
    output_port: str | None = None
    policy: str | None = None
    route_table: str = ""
    bfd: UUID | None = None
    options: dict[str, str] = field(default_factory=dict)
    selection_fields: tuple[str, ...] = ()  # 24.09


@dataclass(frozen=True, slots=True)
class RouterPolicy(Row):
    TABLE: ClassVar[str] = "Logical_Router_Policy"
    priority: int
    match: str
    action: str
    external_ids: dict[str, str] = field(metadata=_MARK)
    nexthop: str | None = None
    nexthops: tuple[str, ...] = ()
    options: dict[str, str] = field(default_factory=dict)
    bfd_sessions: tuple[UUID, ...] = ()  # 24.09
    chain: str | None = None  # 25.03
    jump_chain: str | None = None  # 25.03
    output_port: UUID | None = None  # 26.03


@dataclass(frozen=True, slots=True)
class NAT(Row):
    TABLE: ClassVar[str] = "NAT"
    type: str
    external_ip: str
    logical_ip: str
    external_ids: dict[str, str] = field(metadata=_MARK)
    options: dict[str, str] = field(default_factory=dict)
    gateway_port: UUID | None = None
    external_mac: str | None = None
    external_port_range: str = ""
    logical_port: str | None = None
    allowed_ext_ips: UUID | None = None
    exempted_ext_ips: UUID | None = None
    match: str = ""  # 24.09
    priority: int = 0  # 24.09


@dataclass(frozen=True, slots=True)
class LogicalSwitch(Row):
    TABLE: ClassVar[str] = "Logical_Switch"
    name: str
    ports: tuple[UUID, ...]
    external_ids: dict[str, str] = field(metadata=_MARK)
    acls: tuple[UUID, ...] = ()
    qos_rules: tuple[UUID, ...] = ()
    load_balancer: tuple[UUID, ...] = ()
    load_balancer_group: tuple[UUID, ...] = ()
    dns_records: tuple[UUID, ...] = ()
    forwarding_groups: tuple[UUID, ...] = ()
    copp: UUID | None = None
    other_config: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogicalSwitchPort(Row):
    TABLE: ClassVar[str] = "Logical_Switch_Port"
    name: str
    addresses: tuple[str, ...]
    external_ids: dict[str, str] = field(metadata=_MARK)
    type: str = ""
    options: dict[str, str] = field(default_factory=dict)
    parent_name: str | None = None
    tag_request: int | None = None
    tag: int | None = None
    port_security: tuple[str, ...] = ()
    enabled: bool | None = None
    dhcpv4_options: UUID | None = None
    dhcpv6_options: UUID | None = None
    ha_chassis_group: UUID | None = None
    mirror_rules: tuple[UUID, ...] = ()
    peer: str | None = None  # 25.09


@dataclass(frozen=True, slots=True)
class LoadBalancer(Row):
    TABLE: ClassVar[str] = "Load_Balancer"
    vips: dict[str, str]
    protocol: str | None


@dataclass(frozen=True, slots=True)
class LoadBalancerGroup(Row):
    TABLE: ClassVar[str] = "Load_Balancer_Group"
    load_balancer: tuple[UUID, ...]


ROW_CLASSES: tuple[type[Row], ...] = (
    NBGlobal,
    LogicalRouter,
    LogicalRouterPort,
    StaticRoute,
    RouterPolicy,
    NAT,
    LogicalSwitch,
    LogicalSwitchPort,
    LoadBalancer,
    LoadBalancerGroup,
)

_NONE = ["set", []]
# Of these tables only our own rows are read, of policies those as high as ours, of switches those
# with load balancers, and of their ports those to routers.  Routers with their ports, NAT rules and
# routes are replicated all: any of them may have an address that a container is to have, and a
# condition that names rows would be sent, read and applied anew as a whole for each router more.
# So would one for load balancers, which for a moment would look as if there were none.
CONDITIONS: Mapping[str, list[list[Any]]] = {
    LogicalSwitch.TABLE: [
        *OWN_ROWS,
        ["load_balancer", "!=", _NONE],
        ["load_balancer_group", "!=", _NONE],
    ],
    LogicalSwitchPort.TABLE: [*OWN_ROWS, ["type", "==", "router"]],
    RouterPolicy.TABLE: [*OWN_ROWS, ["priority", ">=", LOWEST_PRIORITY]],
}


# What some rows of ours have something in, of the columns with a default.
_SOMETIMES = ("output_port", "route_table", "nexthops", "options", "gateway_port", "type")
# By table: what every row of ours has in the other columns with a default.
EMPTY: Mapping[str, Mapping[str, Any]] = {
    row_class.TABLE: {
        name: value for name, value in find_defaults(row_class).items() if name not in _SOMETIMES
    }
    for row_class in ROW_CLASSES
}


def make_mark(key: str) -> dict[str, str]:
    """Returns the external_ids of the row of ours that is there for 'key'."""
    return {OWNER_KEY: OWNER, ROW_KEY: key}


def find_key(external_ids: dict[str, str]) -> str | None:
    """Returns the key of a row of ours, None for a row of somebody else's."""
    if external_ids.get(OWNER_KEY) != OWNER:
        return None
    return external_ids.get(ROW_KEY, "")


def find_subject(key: str) -> str:
    """Returns the subject in the key of a policy, CONTAINER/KIND/SUBJECT/DIGEST; "" if none."""
    parts = key.split("/")
    return parts[2] if len(parts) == 4 else ""
