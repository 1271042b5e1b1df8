"""The physical networks between the hosts: three bridges in a namespace of their own.

`mgmt` carries database connections, `underlay` Geneve, `provider` is the outside world that OVN
reaches through `ovn-bridge-mappings`.  No link of the lab is in the machine's own namespace, so
labs never meet each other.

A host can be cut from some of them: its links keep their carrier and reach nobody, as when a switch
further on has failed.  What a host is cut from is kept with it, over its death, until it is healed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from . import process
from .errors import LabError
from .host import Host

NETWORKS = ("mgmt", "underlay", "provider")
# What joins the hosts of the cloud; a host without them still reaches the outside world.
INSIDE = ("mgmt", "underlay")
MGMT_NETWORK = ipaddress.IPv4Network("172.30.0.0/16")
UNDERLAY_NETWORK = ipaddress.IPv4Network("172.31.0.0/16")
MAC_PREFIX = b"\x0a\x58"
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


def plug(fabric: Host, host: Host) -> None:
    """Gives 'host' a link, called as the network, into each network that it has to do with.

    A chassis' links into the underlay and the provider network get no address, as they become ports
    of its bridges.
    """
    settings = host.settings
    bridged = list_bridged(host)
    networks = list_networks(host)
    cut = find_cut(host)
    init = host.get_init()
    outside, inside = [], []
    for network in networks:
        port = format_port(host, network)
        unplug(fabric, port)
        address = settings.get(network, "")
        mac = f" address {format_mac(address)}" if address and network not in bridged else ""
        outside += [
            f"link add {port} type veth peer name {network}{mac} netns {init}",
            f"link set {port} addrgenmode none up",
        ]
        if network not in cut:
            outside.append(f"link set {port} master {network}")
        if network not in bridged:
            inside.append(f"address add {address} dev {network} nodad")
        inside.append(f"link set {network} addrgenmode none up")
    run_in_network(fabric, "ip", "-batch", "-", stdin="\n".join(outside))
    host.run("ip", "-batch", "-", stdin="\n".join(inside))
    for network in networks:
        if network != "mgmt":
            # Frames without a final checksum die in the userspace datapath.
            host.run("ethtool", "-K", network, "tx", "off")


def list_bridged(host: Host) -> tuple[str, ...]:
    """Returns the networks whose links are ports of the host's bridges."""
    return ("underlay", "provider") if host.settings["kind"] == "chassis" else ()


def list_networks(host: Host) -> list[str]:
    """Returns the networks that the host has to do with."""
    known = {*host.settings, *list_bridged(host)}
    return [network for network in NETWORKS if network in known]


def find_cut(host: Host) -> tuple[str, ...]:
    """Returns the networks that the host is cut from."""
    try:
        return tuple((host.directory / "cut").read_text().split())
    except FileNotFoundError:
        return ()


def cut(fabric: Host, host: Host, networks: Sequence[str]) -> None:
    """Cuts the host, running or dead, from 'networks'; what runs on it is left alone.

    Raises LabError if it is cut already, or has nothing to do with one of them.
    """
    strange = [network for network in networks if network not in list_networks(host)]
    if strange or not networks:
        known = ", ".join(list_networks(host)) or "no network"
        raise LabError(f"{host.name} is on {known}, not on {', '.join(strange) or 'none'}")
    if find_cut(host):
        raise LabError(f"{host.name}: it is cut from {', '.join(find_cut(host))} already")
    (host.directory / "cut").write_text(" ".join(networks))
    if host.find_init():
        lines = [f"link set {format_port(host, network)} nomaster" for network in networks]
        run_in_network(fabric, "ip", "-batch", "-", stdin="\n".join(lines))


def heal(fabric: Host, host: Host) -> None:
    """Joins the host to all of its networks again.  Raises LabError if it was not cut."""
    networks = find_cut(host)
    if not networks:
        raise LabError(f"{host.name}: it is not cut from any network")
    if host.find_init():
        lines = [f"link set {format_port(host, name)} master {name}" for name in networks]
        run_in_network(fabric, "ip", "-batch", "-", stdin="\n".join(lines))
    (host.directory / "cut").unlink()


def unplug(fabric: Host, port: str) -> None:
    """Removes the link of a host that died, in case the kernel has not yet done so."""
    try:
        run_in_network(fabric, "ip", "link", "delete", port)
    except LabError as error:
        if "Cannot find device" not in str(error):
            raise


def format_mac(address: str) -> str:
    """Returns the MAC of the link with 'address' (IP/LEN).

    It outlives the host, as that of a real NIC does: neighbours that remember another one would
    send into the void for half a minute.
    """
    return ":".join(
        f"{byte:02x}" for byte in MAC_PREFIX + ipaddress.ip_interface(address).packed[-4:]
    )


def format_port(host: Host, network: str) -> str:
    """Returns the name of the host's end in the fabric."""
    return f"{host.name}-{network[0]}"
