"""The scenario's OVN topology, as a cloud management system sets it up.

A tenant is a router with a distributed gateway port on the provider network, SNAT on the router's
address, a default route to the host `upstream`, and a tenant switch with guests; and the remote
site that the tenant wants a VPN to.  Tenant 1 is the scenario's, with guests on two chassis; each
further one is alike, with addresses of its own and one guest.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from . import cloud, guest, peer_conf
from .errors import LabError
from .guest import Guest
from .state import Lab

UPSTREAM = "1.0.0.1"
TENANTS_MAX = 9
GATEWAY_PRIORITY = 100
INSTALL_TIMEOUT_S = 30
GUEST_HOSTS = {"vm1": "hv1", "vm2": "hv2"}
SITES = ("venus", "mars", "jupiter", "saturn", "uranus", "neptune", "pluto", "ceres", "eris")


@dataclass(frozen=True, slots=True)
class Tenant:
    """Names and addresses of one tenant, all from its number, and where its guests are.

    'guest_hosts' is the chassis of each guest, 'gateways' the router's gateway chassis, the best
    first; none stands for every chassis in the order of their numbers.
    """

    number: int
    guest_hosts: Mapping[str, str] = field(default_factory=dict)
    gateways: Sequence[str] = ()

    @property
    def router(self) -> str:
        return "tenant-router" if self.number == 1 else f"router{self.number}"

    @property
    def switch(self) -> str:
        return "tenant" if self.number == 1 else f"tenant{self.number}"

    @property
    def router_address(self) -> str:
        return f"1.0.0.{10 * self.number - 8}"

    @property
    def external(self) -> str:
        """The address of the tenant's VPN gateway."""
        return f"1.0.0.{99 + self.number}"

    @property
    def subnet(self) -> str:
        return f"192.168.{2 * self.number - 1}.0/24"

    @property
    def gateway(self) -> str:
        return f"192.168.{2 * self.number - 1}.1"

    @property
    def site(self) -> str:
        return SITES[self.number - 1]

    @property
    def site_address(self) -> str:
        return f"1.0.0.{10 * self.number - 7}"

    @property
    def site_subnet(self) -> str:
        return f"192.168.{2 * self.number}.0/24"

    @property
    def second_subnet(self) -> str:
        """What the site may have beside its subnet."""
        return f"192.168.{50 + self.number}.0/24"

    @property
    def second_host(self) -> str:
        """The address in it of the machine behind the site's gateway."""
        return f"192.168.{50 + self.number}.10"

    @property
    def site_host(self) -> str:
        """The address of the machine behind the site's gateway."""
        return f"192.168.{2 * self.number}.10"

    def make_guests(self, lab: Lab) -> list[Guest]:
        """Returns the guests whose chassis the lab has."""
        network = self.gateway.rpartition(".")[0]
        mac = f"52:54:00:00:{self.number:02x}"
        return [
            Guest(name, name, f"{mac}:{last:02x}", f"{network}.{last}/24", self.gateway)
            for last, (name, host) in enumerate(self.guest_hosts.items(), start=11)
            if lab.find_host(host)
        ]


FIRST = Tenant(1, GUEST_HOSTS)
ROUTER = FIRST.router
ROUTER_ADDRESS = FIRST.router_address
SUBNET = FIRST.subnet


def build(lab: Lab, say: Callable[[str], None], tenant: Tenant = FIRST) -> None:
    """Makes the topology, the upstream host and the guests; returns when OVN has installed all.

    What there is of the tenant already, whole or in part, is made anew.
    """
    if not 1 <= tenant.number <= TENANTS_MAX:
        raise LabError(f"a lab has 1 to {TENANTS_MAX} tenants")
    central = lab.get_host("central")
    guests = tenant.make_guests(lab)
    remove(lab, tenant, guests)
    if not lab.find_host("upstream"):
        settings = {"kind": "upstream", "provider": f"{UPSTREAM}/24"}
        cloud.boot(lab, lab.make_host("upstream", settings))
    central.run("ovn-nbctl", *format_topology(lab, tenant, guests))
    for each in guests:
        guest.add(lab.get_host(tenant.guest_hosts[each.name]), each)
    for each in guests:
        waiting = ("wait-until", "Logical_Switch_Port", each.switch_port, "up=true")
        central.run("ovn-nbctl", f"--timeout={INSTALL_TIMEOUT_S}", *waiting)
    central.run("ovn-nbctl", f"--timeout={INSTALL_TIMEOUT_S}", "--wait=hv", "sync")
    places = [f"{each.name} ({each.address}) on {tenant.guest_hosts[each.name]}" for each in guests]
    say(f"{tenant.router} at {tenant.router_address}; guests {', '.join(places)}")


def remove(lab: Lab, tenant: Tenant, guests: Sequence[Guest]) -> None:
    """Removes what an earlier build of this tenant has made, if there is any of it."""
    for each in guests:
        host = lab.find_guest(each.name)
        if host:
            guest.delete(host, each.name)
    upstream = lab.find_host("upstream")
    if upstream and upstream.find_init() is None:
        shutil.rmtree(upstream.directory)
    rows = ("--if-exists", "lr-del", tenant.router, "--", "--if-exists", "ls-del", tenant.switch)
    port = ("--", "--if-exists", "lsp-del", f"provider-{tenant.router}")
    lab.get_host("central").run("ovn-nbctl", *rows, *port)


def add_site(lab: Lab, tenant: Tenant, psk: str, second: bool = False) -> None:
    """Adds the tenant's remote site, set up for a VPN to the tenant, with one subnet or both."""
    subnets = (tenant.site_subnet, *([tenant.second_subnet] if second else []))
    address = f"{tenant.site_address}/24"
    site = peer_conf.Site(address, subnets, tenant.external, (tenant.subnet,), psk)
    cloud.add_peer(lab, tenant.site, site)


def format_topology(lab: Lab, tenant: Tenant, guests: Sequence[Guest]) -> list[str]:
    """Returns the arguments of one ovn-nbctl run that makes all rows in one transaction."""
    router, switch = tenant.router, tenant.switch
    commands = [
        "--may-exist ls-add provider",
        "--may-exist lsp-add provider provider-localnet",
        "lsp-set-type provider-localnet localnet",
        "lsp-set-addresses provider-localnet unknown",
        "lsp-set-options provider-localnet network_name=provider",
        f"lr-add {router}",
        f"lrp-add {router} {router}-provider {format_mac(0, tenant.number + 1)}"
        f" {tenant.router_address}/24",
        f"lrp-set-options {router}-provider gateway_mtu={guest.MTU}",
        f"lsp-add provider provider-{router}",
        f"lsp-set-type provider-{router} router",
        f"lsp-set-addresses provider-{router} router",
        f"lsp-set-options provider-{router} router-port={router}-provider nat-addresses=router",
        f"ls-add {switch}",
        f"lrp-add {router} {router}-tenant {format_mac(tenant.number, 1)} {tenant.gateway}/24",
        f"lsp-add {switch} tenant-{router}",
        f"lsp-set-type tenant-{router} router",
        f"lsp-set-addresses tenant-{router} router",
        f"lsp-set-options tenant-{router} router-port={router}-tenant",
        f"lr-nat-add {router} snat {tenant.router_address} {tenant.subnet}",
        f"lr-route-add {router} 0.0.0.0/0 {UPSTREAM} {router}-provider",
    ]
    gateways = tenant.gateways or [host.name for host in lab.list_chassis()]
    for number, name in enumerate(gateways):
        priority = max(GATEWAY_PRIORITY - number, 1)
        commands.append(f"lrp-set-gateway-chassis {router}-provider {name} {priority}")
    arguments: list[str] = []
    for command in commands:
        arguments += ["--", *command.split()]
    for each in guests:
        address = f"{each.mac} {each.address.partition('/')[0]}"
        arguments += ["--", "lsp-add", switch, each.switch_port]
        arguments += ["--", "lsp-set-addresses", each.switch_port, address]
        arguments += ["--", "lsp-set-port-security", each.switch_port, address]
    return arguments[1:]


def format_mac(network: int, number: int) -> str:
    """Returns a MAC for a router's port."""
    return f"52:54:00:00:{network:02x}:{number:02x}"
