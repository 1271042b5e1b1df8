"""What a cloud in memory is filled with: chassis, routers, VPNs that run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ..lib import nb, sb
from ..northd.ovn import rows as ovn
from ..services.ipsec.router_rules import make_container_name
from ..services.ipsec.rows import IPsecConnection, VPNService
from .memory_cloud import KEY, MemoryCloud


@dataclass(frozen=True, slots=True)
class Site:
    """A router with a VPN."""

    router: UUID
    service: UUID
    connections: tuple[UUID, ...]

    @property
    def container(self) -> str:
        """The name of its container."""
        return make_container_name(self.router)


def add_chassis(cloud: MemoryCloud, name: str, **columns: Any) -> None:
    """Adds a chassis that is alive and runs ipsec."""
    values = {"service_types": ("ipsec",), "public_key": KEY, **columns}
    cloud.add(sb.Chassis, name=name, **values)
    cloud.set_verdict(name)


def add_router(cloud: MemoryCloud, name: str, network: str, host: int = 2) -> UUID:
    """Adds a router whose gateway port is NETWORK.HOST, with a port inside and a default route."""
    outside = cloud.add(
        ovn.LogicalRouterPort,
        name=f"{name}-out",
        networks=(f"{network}.{host}/24",),
        gateway_chassis=(UUID(int=7),),
    )
    inside = cloud.add(ovn.LogicalRouterPort, name=f"{name}-in", networks=("192.168.1.1/24",))
    route = cloud.add(ovn.StaticRoute, ip_prefix="0.0.0.0/0", nexthop=f"{network}.1")
    nat = cloud.add(
        ovn.NAT, type="snat", external_ip=f"{network}.{host}", logical_ip="192.168.1.0/24"
    )
    return cloud.add(
        ovn.LogicalRouter, name=name, ports=(outside, inside), static_routes=(route,), nat=(nat,)
    )


def add_connection(cloud: MemoryCloud, number: int, **columns: Any) -> UUID:
    """Adds a connection to a peer of its own."""
    values = {
        "name": f"c{number}",
        "peer_address": f"198.51.100.{number}",
        "peer_subnets": (f"10.200.{number}.0/24",),
        "psk": f"secret {number}",
        **columns,
    }
    return cloud.add(IPsecConnection, **values)


def add_site(
    cloud: MemoryCloud, name: str, network: str, connections: int = 2, **columns: Any
) -> Site:
    """Adds a router with a VPN of some connections; 'network' are three octets."""
    router = add_router(cloud, name, network)
    uuids = tuple(add_connection(cloud, number) for number in range(1, connections + 1))
    values = {
        "name": name,
        "router": name,
        "external_ips": (f"{network}.100",),
        "local_subnets": ("192.168.1.0/24",),
        "connections": uuids,
        **columns,
    }
    return Site(router, cloud.add(VPNService, **values), uuids)


def add_operator_container(
    cloud: MemoryCloud, name: str, service_type: str, **configuration: str
) -> UUID:
    """Adds a container as the operator makes it."""
    return cloud.add(
        nb.ServiceContainer, name=name, service_type=service_type, configuration=configuration
    )
