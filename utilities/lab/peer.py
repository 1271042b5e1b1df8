"""A remote site on the provider network, outside OVN: stock strongSwan, none of our code.

The host is the site's gateway; behind it, in the namespace "NAME-lan", is a machine with one
address (.10) in each of the site's subnets.  The gateway has .1 in each.  Its configuration stands
in files, as the site's own administrator would write them (peer_conf.py): `etc/swanctl` of the
host's directory.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import asdict, replace

from . import process
from .errors import LabError
from .host import Host
from .peer_conf import Site, check_site, format_strongswan, format_swanctl

PROCESSES = ("charon",)
STRONGSWAN_CONF = "/etc/strongswan.d/lab.conf"
START_TIMEOUT_S = 10
SYSCTLS = (
    "net.ipv4.ip_forward=1",
    "net.ipv4.conf.all.rp_filter=0",
    "net.ipv4.conf.default.rp_filter=0",
    "net.ipv6.conf.all.forwarding=1",
)


def configure(host: Host, site: Site) -> None:
    """Writes the site's files; the host need not be running."""
    check_site(site)
    record = host.directory / "site.json"
    record.touch(mode=0o600)
    record.write_text(json.dumps(asdict(site)))
    conf = host.directory / "etc" / "swanctl" / "swanctl.conf"
    conf.parent.mkdir(parents=True, exist_ok=True)
    conf.touch(mode=0o600)
    conf.write_text(format_swanctl(site))


def read_site(host: Host) -> Site:
    """Returns what configure was given."""
    site = Site(**json.loads((host.directory / "site.json").read_text()))
    return replace(site, subnets=tuple(site.subnets), local_subnets=tuple(site.local_subnets))


def build(host: Host) -> None:
    """Makes the network behind the gateway."""
    lan = format_lan(host)
    outside, inside = ["link set lan addrgenmode none up"], ["link set lo up", "link set eth0 up"]
    gateway = ""
    for subnet in read_site(host).subnets:
        network = ipaddress.ip_network(subnet)
        gateway = gateway or str(network[1])
        outside.append(f"address add {network[1]}/{network.prefixlen} dev lan nodad")
        inside.append(f"address add {network[10]}/{network.prefixlen} dev eth0 nodad")
    inside.append(f"route add default via {gateway}")
    host.run("ip", "netns", "add", lan)
    host.run("ip", "link", "add", "lan", "type", "veth", "peer", "name", "eth0", "netns", lan)
    host.run("ip", "-batch", "-", stdin="\n".join(outside))
    host.run("ip", "-netns", lan, "-batch", "-", stdin="\n".join(inside))
    host.run("sysctl", "-qw", *SYSCTLS)


def format_lan(host: Host) -> str:
    """Returns the name of the machine behind the site's gateway."""
    return f"{host.name}-lan" if host.settings["kind"] == "peer" else ""


def list_processes(_host: Host) -> tuple[str, ...]:
    """Returns what is meant to run here, in the order of starting."""
    return PROCESSES


def start(host: Host, name: str) -> None:
    """Starts charon and loads the connection."""
    assert name in PROCESSES
    conf = format_strongswan(has_kernel_esp(host))
    host.run("sh", "-c", f"cat > {STRONGSWAN_CONF}", stdin=conf)
    host.start_in_background("charon-systemd", log="/var/log/charon.out")
    process.wait_until(lambda: is_answering(host), f"{host.name}: charon", START_TIMEOUT_S)
    host.run("swanctl", "--load-all", "--noprompt")


def is_answering(host: Host) -> bool:
    """Says whether charon takes commands."""
    try:
        host.run("swanctl", "--version", "--daemon")
    except LabError:
        return False
    return True


def has_kernel_esp(host: Host) -> bool:
    """Says whether the machine's kernel can do ESP, by making a security association."""
    ends = ("src", "192.0.2.1", "dst", "192.0.2.2", "proto", "esp", "spi", "0x100")
    no_cipher = ("mode", "tunnel", "enc", "ecb(cipher_null)", "")
    try:
        host.run("ip", "xfrm", "state", "add", *ends, *no_cipher)
    except LabError:
        return False
    host.run("ip", "xfrm", "state", "delete", *ends)
    return True
