"""Guests: namespaces that stand for VMs, each with one port on its host's br-int.

A guest dies with its host, and comes back when the host is started, as `resume_guests_on_boot` has
it in a cloud.
"""

from __future__ import annotations

import json
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


def add(host: Host, guest: Guest) -> None:
    """Records the guest with its host and starts it."""
    directory = host.directory / "guests"
    directory.mkdir(exist_ok=True)
    record = directory / f"{guest.name}.json"
    if record.exists():
        raise LabError(f"{guest.name}: a guest of that name is on {host.name} already")
    record.write_text(json.dumps(asdict(guest)))
    start(host, guest)


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
    """Ends the guest's processes and removes it, and its record."""
    if host.find_init():
        host.run("ovs-vsctl", "--if-exists", "del-port", name)
        host.run("sh", "-c", f"ip netns pids {name} | xargs -r kill -9; ip netns delete {name}")
    (host.directory / "guests" / f"{name}.json").unlink()


def list_guests(host: Host) -> list[Guest]:
    """Returns the guests of a host, running or not, by name."""
    records = sorted((host.directory / "guests").glob("*.json"))
    return [Guest(**json.loads(record.read_text())) for record in records]
