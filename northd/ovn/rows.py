"""Row classes of OVN_Northbound, and the mark of what is ours there (ovn-nb(5)).

Only columns that svc-northd reads or writes are listed.  Every row that it
makes carries external_ids:ovnsvc=svc-northd, so that a monitor can be
restricted to them, and external_ids:ovnsvc-key, which says what the row is
for.  No row without the mark is ever changed, but for the set of a
Logical_Router that holds ours and the three keys on NB_Global.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar
from uuid import UUID

from ...lib.router import OWNER, OWNER_KEY
from ...lib.rows import Row, keep_keys

DATABASE = "OVN_Northbound"
MARKED_COLUMN = "external_ids"
ROW_KEY = "ovnsvc-key"
OWN_ROWS = [[MARKED_COLUMN, "includes", ["map", [[OWNER_KEY, OWNER]]]]]
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
    options: dict[str, str] = field(metadata=keep_keys("chassis"))


@dataclass(frozen=True, slots=True)
class LogicalRouterPort(Row):
    TABLE: ClassVar[str] = "Logical_Router_Port"
    name: str
    mac: str
    networks: tuple[str, ...]
    gateway_chassis: tuple[UUID, ...]
    ha_chassis_group: UUID | None
    external_ids: dict[str, str] = field(metadata=_MARK)


@dataclass(frozen=True, slots=True)
class StaticRoute(Row):
    TABLE: ClassVar[str] = "Logical_Router_Static_Route"
    ip_prefix: str
    nexthop: str
    output_port: str | None
    policy: str | None
    route_table: str
    external_ids: dict[str, str] = field(metadata=_MARK)


@dataclass(frozen=True, slots=True)
class RouterPolicy(Row):
    TABLE: ClassVar[str] = "Logical_Router_Policy"
    priority: int
    match: str
    action: str
    nexthops: tuple[str, ...]
    external_ids: dict[str, str] = field(metadata=_MARK)


@dataclass(frozen=True, slots=True)
class NAT(Row):
    TABLE: ClassVar[str] = "NAT"
    type: str
    external_ip: str
    logical_ip: str
    gateway_port: UUID | None
    options: dict[str, str]
    external_ids: dict[str, str] = field(metadata=_MARK)


@dataclass(frozen=True, slots=True)
class LogicalSwitch(Row):
    TABLE: ClassVar[str] = "Logical_Switch"
    name: str
    ports: tuple[UUID, ...]
    external_ids: dict[str, str] = field(metadata=_MARK)


@dataclass(frozen=True, slots=True)
class LogicalSwitchPort(Row):
    TABLE: ClassVar[str] = "Logical_Switch_Port"
    name: str
    type: str
    addresses: tuple[str, ...]
    options: dict[str, str]
    external_ids: dict[str, str] = field(metadata=_MARK)


ROW_CLASSES: tuple[type[Row], ...] = (
    NBGlobal,
    LogicalRouter,
    LogicalRouterPort,
    StaticRoute,
    RouterPolicy,
    NAT,
    LogicalSwitch,
    LogicalSwitchPort,
)

# Of these tables only our own rows are read.  Routers with their ports, NAT rules and routes are
# replicated all: any of them may have an address that a container is to have, and a condition that
# names rows would be sent, read and applied anew as a whole for each router more.
CONDITIONS = {
    row_class.TABLE: OWN_ROWS for row_class in (LogicalSwitch, LogicalSwitchPort, RouterPolicy)
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
