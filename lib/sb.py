"""Row classes of SVC_Southbound; schemas/svc-sb.rst documents each column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from .rows import Row


@dataclass(frozen=True, slots=True)
class SBGlobal(Row):
    TABLE: ClassVar[str] = "SB_Global"
    nb_cfg: int
    nb_cfg_timestamp: int
    ovn_nb_cfg: int
    options: dict[str, str]


@dataclass(frozen=True, slots=True)
class Chassis(Row):
    TABLE: ClassVar[str] = "Chassis"
    name: str
    hostname: str
    service_types: tuple[str, ...]
    service_problems: dict[str, str]
    bridge_mappings: tuple[str, ...]
    public_key: str | None
    other_config: dict[str, str]


@dataclass(frozen=True, slots=True)
class ChassisPrivate(Row):
    TABLE: ClassVar[str] = "Chassis_Private"
    name: str
    incarnation: str
    heartbeat: int
    heartbeat_timestamp: int
    heartbeat_interval: int
    nb_cfg: int
    nb_cfg_timestamp: int
    stopping: bool
    ovn_problem: str
    load: dict[str, str]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChassisWeight(Row):
    TABLE: ClassVar[str] = "Chassis_Weight"
    chassis: str
    weight: int
    limit: int
    drain: bool
    scheduled: int
    alive: bool
    since: int
    overloaded: bool
    mass_failure: str | None
    problem: str


@dataclass(frozen=True, slots=True)
class PortBinding(Row):
    TABLE: ClassVar[str] = "Port_Binding"
    logical_port: str
    container: str
    chassis: str
    interface: str
    kind: str
    mac: str
    addresses: tuple[str, ...]
    gateways: tuple[str, ...]
    mtu: int
    parent_port: str | None
    tag: int | None
    iface_id: str
    up: bool | None


@dataclass(frozen=True, slots=True)
class ContainerBinding(Row):
    TABLE: ClassVar[str] = "Container_Binding"
    container: str
    chassis: str
    service_type: str
    role: str
    configuration: str
    secrets: dict[str, str]
    generation: int
    status_code: str | None
    status_message: str
    reached_generation: int
    namespace_name: str | None
    interface_name: str | None
    restarts: int
    since: int | None
    incarnation: str
    unwell_since: int | None


@dataclass(frozen=True, slots=True)
class RedirectFlow(Row):
    TABLE: ClassVar[str] = "Redirect_Flow"
    name: str
    container: str
    subject: str
    router: str | None
    network: str | None
    priority: int
    ip_version: int
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    protocol: int | None
    ports: tuple[int, ...]
    in_ports: tuple[str, ...]
    out_ports: tuple[str, ...]
    action: str
    next_hop: str | None
    state: str | None


@dataclass(frozen=True, slots=True)
class ContainerItem(Row):
    TABLE: ClassVar[str] = "Container_Item"
    container: str
    chassis: str
    kind: str
    name: str
    subject: str
    state: str
    message: str
    since: int | None
    detail: dict[str, str]


@dataclass(frozen=True, slots=True)
class AvoidedChassis(Row):
    TABLE: ClassVar[str] = "Avoided_Chassis"
    container: str
    chassis: str
    reason: str
    failures: int
    since: int
    retry_at: int
    incarnation: str
    weight: int
    orders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Placement(Row):
    TABLE: ClassVar[str] = "Placement"
    container: str
    number: int
    chassis: str
    since: int
    reason: str


@dataclass(frozen=True, slots=True)
class Northd(Row):
    TABLE: ClassVar[str] = "Northd"
    incarnation: str
    hostname: str
    pid: int
    heartbeat: int
    patience: int
    since: int
    worked_at: int
    problem: str


@dataclass(frozen=True, slots=True)
class RBACRole(Row):
    TABLE: ClassVar[str] = "RBAC_Role"
    name: str
    permissions: dict[str, UUID]


@dataclass(frozen=True, slots=True)
class RBACPermission(Row):
    TABLE: ClassVar[str] = "RBAC_Permission"
    table: str
    authorization: tuple[str, ...]
    insert_delete: bool
    update: tuple[str, ...]
