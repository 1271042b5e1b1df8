"""Guests: namespaces that stand for VMs, each with one port on its host's br-int.

A guest dies with its host, and comes back when the host is started, as `resume_guests_on_boot` has
it in a cloud.
"""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import asdict, dataclass

from .errors import LabError
from .host import Host

MTU = 1442  # 1500 of the underlay less 58 of Geneve over IPv4


@dataclass(frozen=True, slots=True)
class Guest:
    """A VM's NIC: its logical switch port, MAC, address ("IP/LEN") and default gateway."""

    name: str
    switch_port: str
    mac: str
    address: str
    gateway: str


def parse_guest(name: str, switch_port: str, mac: str, address: str, gateway: str) -> Guest:
    """Checks the command line's words.  Raises LabError where one cannot be what it should."""
    try:
        interface = ipaddress.ip_interface(address)
        if ipaddress.ip_address(gateway) not in interface.network:
            raise LabError(f"{gateway}: not in the guest's network {interface.network}")
    except ValueError as error:
        raise LabError(str(error)) from None
    if not re.fullmatch("([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}", mac):
        raise LabError(f"{mac}: not a MAC address")
    return Guest(name, switch_port, mac, address, gateway)


def add(host: Host, guest: Guest) -> None:
    """Starts the guest and records it with its host; leaves nothing if it does not start."""
    record = host.directory / "guests" / f"{guest.name}.json"
    record.parent.mkdir(exist_ok=True)
    record.write_text(json.dumps(asdict(guest)))
    try:
        start(host, guest)
    except LabError:
        delete(host, guest.name)
        raise


def start(host: Host, guest: Guest) -> None:
    """Makes the guest's namespace and plugs it into br-int."""
    name = guest.name
    host.run("ip", "netns", "add", name)
    host.run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
    lines = [
        "link set lo up",
        f"link set eth0 address {guest.mac} mtu {MTU} up",
        f"address add {guest.address} dev eth0 nodad",
        f"route add default via {guest.gateway} dev eth0",
    ]
    host.run("ip", "-netns", name, "-batch", "-", stdin="\n".join(lines))
    host.run("ip", "netns", "exec", name, "ethtool", "-K", "eth0", "tx", "off")
    host.run("ip", "link", "set", name, "addrgenmode", "none", "up")
    host.run("ethtool", "-K", name, "tx", "off")
    plug = ["--", "--may-exist", "add-port", "br-int", name]
    plug += ["--", "set", "Interface", name, f"external_ids:iface-id={guest.switch_port}"]
    host.run("ovs-vsctl", "--if-exists", "del-port", name, *plug)


def delete(host: Host, name: str) -> None:
    """Ends the guest's processes and removes it, whole or half-made, and its record."""
    if host.find_init():
        host.run("ovs-vsctl", "--no-wait", "--if-exists", "del-port", name)
        kill_all = "ip netns pids $1 | xargs -r kill -9; ip netns delete $1"
        host.run("sh", "-c", f"test ! -e /run/netns/$1 || {{ {kill_all}; }}", "sh", name)
    (host.directory / "guests" / f"{name}.json").unlink()


def list_guests(host: Host) -> list[Guest]:
    """Returns the guests of a host, running or not, by name."""
    records = sorted((host.directory / "guests").glob("*.json"))
    return [Guest(**json.loads(record.read_text())) for record in records]
