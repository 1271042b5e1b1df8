"""Row classes of SVC_Northbound; schemas/svc-nb.rst documents each column.

Two rows that differ in what svc-northd itself wrote as their status are equal:
its compile step depends on what the operator wrote.
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
    seal_seed: str | None
    options: dict[str, str]
    external_ids: dict[str, str]


@dataclass(frozen=True, slots=True)
class VPNService(Row):
    TABLE: ClassVar[str] = "VPN_Service"
    name: str
    router: str
    address_mode: str | None
    external_ips: tuple[str, ...]
    local_subnets: tuple[str, ...]
    connections: tuple[UUID, ...]
    group: UUID | None
    enabled: bool | None
    status: str | None = field(compare=False)
    status_message: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class IPsecConnection(Row):
    TABLE: ClassVar[str] = "IPsec_Connection"
    name: str
    peer_address: str
    peer_id: str | None
    local_id: str | None
    peer_subnets: tuple[str, ...]
    auth: str | None
    psk: str | None
    certificate: str | None
    ike_policy: UUID | None
    ipsec_policy: UUID | None
    initiator: str | None
    dpd_action: str | None
    dpd_interval: int | None
    dpd_timeout: int | None
    mtu: int | None
    enabled: bool | None
    status: str | None = field(compare=False)
    status_message: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class IKEPolicy(Row):
    TABLE: ClassVar[str] = "IKE_Policy"
    name: str
    ike_version: str | None
    encryption_algorithm: str | None
    auth_algorithm: str | None
    pfs: str | None
    lifetime: int | None


@dataclass(frozen=True, slots=True)
class IPsecPolicy(Row):
    TABLE: ClassVar[str] = "IPsec_Policy"
    name: str
    transform_protocol: str | None
    encapsulation_mode: str | None
    encryption_algorithm: str | None
    auth_algorithm: str | None
    pfs: str | None
    esn: bool | None
    lifetime: int | None


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
    external_ids: dict[str, str]


@dataclass(frozen=True, slots=True)
class ServiceContainer(Row):
    TABLE: ClassVar[str] = "Service_Container"
    name: str
    service_type: str
    group: UUID | None
    port: str | None
    configuration: dict[str, str]
    requested_chassis: str | None
    migrate_chassis: str | None
    migrate_cfg: int
    migrated_cfg: int
    migrate_status: str
    status_code: str | None
    status_message: str
    chassis: str | None
    namespace_name: str | None
    interface_name: str | None
    since: int | None
    external_ids: dict[str, str]
