"""The physical networks between the hosts: three bridges in a namespace of their own.

`mgmt` carries database connections, `underlay` Geneve, `provider` is the outside world that OVN
reaches through `ovn-bridge-mappings`.  No link of the lab is in the machine's own namespace, so
labs never meet each other.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from . import process
from .errors import LabError
from .host import Host

NETWORKS = ("mgmt", "underlay", "provider")
MGMT_NETWORK = ipaddress.IPv4Network("172.30.0.0/16")
UNDERLAY_NETWORK = ipaddress.IPv4Network("172.31.0.0/16")
QUIET = (
    "net.ipv6.conf.all.disable_ipv6=1",
    "net.ipv6.conf.default.disable_ipv6=1",
)


def run_in_network(host: Host, *argv: str, stdin: str = "") -> str:
    """Runs a command in the host's network alone, so that pids and files are those of outside."""
    return process.run(["nsenter", "-t", str(host.get_init()), "-n", "--", *argv], stdin)


def build(fabric: Host) -> None:
    """Makes the bridges."""
    run_in_network(fabric, "sysctl", "-q", *QUIET)
    lines = [
        line
        for network in NETWORKS
        for line in (
            f"link add {network} type bridge forward_delay 0 mcast_snooping 0",
            f"link set {network} up",
        )
    ]
    run_in_network(fabric, "ip", "-batch", "-", stdin="\n".join(lines))


def plug(fabric: Host, host: Host, addresses: Mapping[str, str]) -> None:
    """Gives 'host' a link into each network of 'addresses', called as the network.

    An address is "IP/LEN", or "" for a link that gets none.
    """
    for network in addresses:
        unplug(fabric, host, network)
    init = host.get_init()
    outside, inside = [], []
    for network, address in addresses.items():
        port = format_port(host, network)
        outside += [
            f"link add {port} type veth peer name {network} netns {init}",
            f"link set {port} master {network} addrgenmode none up",
        ]
        inside += [f"address add {address} dev {network}"] if address else []
        inside += [f"link set {network} addrgenmode none up"]
    run_in_network(fabric, "ip", "-batch", "-", stdin="\n".join(outside))
    host.run("ip", "-batch", "-", stdin="\n".join(inside))
    # Frames without a final checksum die in the userspace datapath.
    for network in addresses:
        if network != "mgmt":
            host.run("ethtool", "-K", network, "tx", "off")


def unplug(fabric: Host, host: Host, network: str) -> None:
    """Removes the link of a host that died, in case the kernel has not yet done so."""
    port = format_port(host, network)
    try:
        run_in_network(fabric, "ip", "link", "delete", port)
    except LabError as error:
        if "Cannot find device" not in str(error):
            raise


def format_port(host: Host, network: str) -> str:
    """Returns the name of the host's end in the fabric."""
    return f"{host.name}-{network[0]}"
