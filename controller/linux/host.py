"""The drivers of a Linux host, by kind."""

from __future__ import annotations

from ..host import Host
from ..order import Daemon, Link, Namespace, Network, StateDirectory, SwitchPort
from ..services.driver import ServiceDriver
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
        Daemon: services,
    }
