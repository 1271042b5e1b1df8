"""The drivers of a Linux host, by kind."""

from __future__ import annotations

from ...services.api.host import Network, Workload
from ..host.driver import Driver, Host
from ..host.kinds import Kind, Links, Namespace, StateDirectory, SwitchPorts
from ..programs.driver import ServiceDriver
from .directory import DirectoryDriver, NamespaceDriver
from .link import VethDriver
from .network import NetworkDriver
from .ovs import PortDriver


def make_host(ports: PortDriver, services: ServiceDriver) -> Host:
    """Returns the drivers of this host."""
    links = VethDriver()
    drivers: dict[Kind, Driver] = {
        StateDirectory: DirectoryDriver(),
        Namespace: NamespaceDriver(),
        Links: links,
        SwitchPorts: ports,
        Network: NetworkDriver(),
        Workload: services,
    }
    return Host(drivers, links, ports)
