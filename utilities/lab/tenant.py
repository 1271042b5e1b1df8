"""The scenario's OVN topology, as a cloud management system sets it up.

A router with a distributed gateway port on the provider network, SNAT on the router's address, a
default route to the host `upstream`, and a tenant switch with guests on two chassis.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable

from . import cloud, guest
from .guest import Guest
from .state import Lab

ROUTER = "tenant-router"
UPSTREAM = "1.0.0.1"
ROUTER_ADDRESS = "1.0.0.2"
SUBNET = "192.168.1.0/24"
GATEWAY = "192.168.1.1"
GUEST_HOSTS = {"vm1": "hv1", "vm2": "hv2"}
GATEWAY_PRIORITY = 100
INSTALL_TIMEOUT_S = 30


def build(lab: Lab, say: Callable[[str], None]) -> None:
    """Makes the topology, the upstream host and the guests; returns when OVN has installed all.

    What there is of them already, whole or in part, is made anew.
    """
    central = lab.get_host("central")
    guests = make_guests(lab)
    remove(lab, guests)
    upstream = lab.make_host("upstream", {"kind": "upstream", "provider": f"{UPSTREAM}/24"})
    central.run("ovn-nbctl", *format_topology(lab, guests))
    cloud.boot(lab, upstream)
    for each in guests:
        guest.add(lab.get_host(GUEST_HOSTS[each.name]), each)
    for each in guests:
        waiting = ("wait-until", "Logical_Switch_Port", each.switch_port, "up=true")
        central.run("ovn-nbctl", f"--timeout={INSTALL_TIMEOUT_S}", *waiting)
    central.run("ovn-nbctl", f"--timeout={INSTALL_TIMEOUT_S}", "--wait=hv", "sync")
    places = [f"{each.name} ({each.address}) on {GUEST_HOSTS[each.name]}" for each in guests]
    say(f"{ROUTER} at {ROUTER_ADDRESS}; guests {', '.join(places)}")


def remove(lab: Lab, guests: list[Guest]) -> None:
    """Removes what an earlier build has made, if there is any of it."""
    for each in guests:
        host = lab.find_guest(each.name)
        if host:
            guest.delete(host, each.name)
    upstream = lab.find_host("upstream")
    if upstream:
        upstream.kill()
        shutil.rmtree(upstream.directory)
    rows = ("--if-exists", "lr-del", ROUTER, "--", "--if-exists", "ls-del", "provider")
    lab.get_host("central").run("ovn-nbctl", *rows, "--", "--if-exists", "ls-del", "tenant")


def make_guests(lab: Lab) -> list[Guest]:
    """Returns the guests: one on each of the first two chassis."""
    return [
        Guest(name, name, f"52:54:00:00:01:{number:02x}", f"192.168.1.{number}/24", GATEWAY)
        for number, (name, host) in enumerate(GUEST_HOSTS.items(), start=11)
        if lab.find_host(host)
    ]


def format_topology(lab: Lab, guests: list[Guest]) -> list[str]:
    """Returns the arguments of one ovn-nbctl run that makes all rows in one transaction."""
    commands = [
        "ls-add provider",
        "lsp-add provider provider-localnet",
        "lsp-set-type provider-localnet localnet",
        "lsp-set-addresses provider-localnet unknown",
        "lsp-set-options provider-localnet network_name=provider",
        f"lr-add {ROUTER}",
        f"lrp-add {ROUTER} {ROUTER}-provider 52:54:00:00:00:02 {ROUTER_ADDRESS}/24",
        f"lrp-set-options {ROUTER}-provider gateway_mtu={guest.MTU}",
        f"lsp-add provider provider-{ROUTER}",
        f"lsp-set-type provider-{ROUTER} router",
        f"lsp-set-addresses provider-{ROUTER} router",
        f"lsp-set-options provider-{ROUTER} router-port={ROUTER}-provider nat-addresses=router",
        "ls-add tenant",
        f"lrp-add {ROUTER} {ROUTER}-tenant 52:54:00:00:01:01 {GATEWAY}/24",
        f"lsp-add tenant tenant-{ROUTER}",
        f"lsp-set-type tenant-{ROUTER} router",
        f"lsp-set-addresses tenant-{ROUTER} router",
        f"lsp-set-options tenant-{ROUTER} router-port={ROUTER}-tenant",
        f"lr-nat-add {ROUTER} snat {ROUTER_ADDRESS} {SUBNET}",
        f"lr-route-add {ROUTER} 0.0.0.0/0 {UPSTREAM} {ROUTER}-provider",
    ]
    for number, host in enumerate(lab.list_chassis()):
        priority = max(GATEWAY_PRIORITY - number, 1)
        commands.append(f"lrp-set-gateway-chassis {ROUTER}-provider {host.name} {priority}")
    arguments: list[str] = []
    for command in commands:
        arguments += ["--", *command.split()]
    for each in guests:
        address = f"{each.mac} {each.address.partition('/')[0]}"
        arguments += ["--", "lsp-add", "tenant", each.switch_port]
        arguments += ["--", "lsp-set-addresses", each.switch_port, address]
        arguments += ["--", "lsp-set-port-security", each.switch_port, address]
    return arguments[1:]
