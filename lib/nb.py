"""Row classes of SVC_Northbound; schemas/svc-nb.rst documents each column.

The tables of a service type are in its own folder.  What is secret is not part
of a row's repr, so that no log and no traceback can have it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar
from uuid import UUID

from .rows import Row


@dataclass(frozen=True, slots=True)
class SVCGlobal(Row):
    TABLE: ClassVar[str] = "SVC_Global"
    nb_cfg: int
    nb_cfg_timestamp: int
    sb_cfg: int
    sb_cfg_timestamp: int
    hv_cfg: int
    hv_cfg_timestamp: int
    content_cfg: int
    lost_content_cfg: int | None
    mass_failure_cfg: int | None
    failover_cfg: int
    seal_seed: str | None = field(repr=False)
    options: dict[str, str]
    external_ids: dict[str, str]


@dataclass(frozen=True, slots=True)
class ContainerGroup(Row):
    TABLE: ClassVar[str] = "Container_Group"
    name: str
    policy: str | None
    chassis_group: UUID | None
    port_group: UUID | None
    spread: str | None
    options: dict[str, str]


@dataclass(frozen=True, slots=True)
class PortGroup(Row):
    TABLE: ClassVar[str] = "Port_Group"
    name: str
    ports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChassisGroup(Row):
    TABLE: ClassVar[str] = "Chassis_Group"
    name: str
    chassis: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chassis(Row):
    TABLE: ClassVar[str] = "Chassis"
    name: str
    container_weight: int | None
    container_limit: int | None
    drain: bool
    delete_cfg: int
    deleted_cfg: int
    delete_status: str
    external_ids: dict[str, str]


@dataclass(frozen=True, slots=True)
class ServiceContainer(Row):
    TABLE: ClassVar[str] = "Service_Container"
    name: str
    service_type: str
    group: UUID | None
    configuration: dict[str, str]
    secret: dict[str, str] = field(repr=False)
    serves: tuple[str, ...]
    ports: tuple[str, ...]
    status_code: str | None
    status_message: str
    chassis: str | None
    namespace_name: str | None
    interface_name: str | None
    since: int | None
    standby: int | None
    options: dict[str, str]
    external_ids: dict[str, str]


@dataclass(frozen=True, slots=True)
class ContainerWish(Row):
    TABLE: ClassVar[str] = "Container_Wish"
    name: str
    requested_chassis: str | None
    migrate_chassis: str | None
    migrate_cfg: int
    migrated_cfg: int
    migrate_status: str
    forgive_cfg: dict[str, int]


@dataclass(frozen=True, slots=True)
class Event(Row):
    TABLE: ClassVar[str] = "Event"
    number: int
    table: str
    row: str | None
    name: str
    state: str
    message: str
    chassis: str | None
    from_chassis: str | None
    since: int
    time: int
    count: int
