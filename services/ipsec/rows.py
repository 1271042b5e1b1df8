"""Row classes of the tables of SVC_Northbound that are the ipsec type's own.

schemas/svc-nb.rst documents each column.  Two rows that differ in what
svc-northd itself wrote as their status are equal: what is compiled depends on
what the operator wrote.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar
from uuid import UUID

from ...lib.rows import Row


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
    since: int | None = field(default=None, compare=False)
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IPsecConnection(Row):
    TABLE: ClassVar[str] = "IPsec_Connection"
    name: str
    peer_address: str
    peer_id: str | None
    local_id: str | None
    peer_subnets: tuple[str, ...]
    auth: str | None
    psk: str | None = field(repr=False)
    certificate: str | None
    ike_policy: UUID | None
    ipsec_policy: UUID | None
    initiator: str | None
    dpd_action: str | None
    dpd_interval: int | None
    dpd_timeout: int | None
    force_udp_encapsulation: bool | None
    mtu: int | None
    enabled: bool | None
    status: str | None = field(compare=False)
    status_message: str = field(compare=False)
    since: int | None = field(default=None, compare=False)
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IKEPolicy(Row):
    TABLE: ClassVar[str] = "IKE_Policy"
    name: str
    ike_version: str | None
    encryption_algorithm: tuple[str, ...]
    auth_algorithm: tuple[str, ...]
    pfs: tuple[str, ...]
    lifetime: int | None


@dataclass(frozen=True, slots=True)
class IPsecPolicy(Row):
    TABLE: ClassVar[str] = "IPsec_Policy"
    name: str
    transform_protocol: str | None
    encapsulation_mode: str | None
    encryption_algorithm: tuple[str, ...]
    auth_algorithm: tuple[str, ...]
    pfs: tuple[str, ...]
    esn: bool | None
    lifetime: int | None
    lifetime_bytes: int | None
