"""The drivers of a Linux host, by kind."""

from __future__ import annotations

from ...services.api.host import Network, Workload
from ..host import Host
from ..order import Link, Namespace, StateDirectory, SwitchPort
from ..programs.driver import ServiceDriver
from .directory import DirectoryDriver, NamespaceDriver
from .link import LinkDriver
from .network import NetworkDriver
from .ovs import PortDriver


def make_host(ports: PortDriver, services: ServiceDriver) -> Host:
    """Returns the drivers of this host."""
    return {
        StateDirectory: DirectoryDriver(),
        Namespace: NamespaceDriver(),
        Link: LinkDriver(),
        SwitchPort: ports,
        Network: NetworkDriver(),
        Workload: services,
    }
