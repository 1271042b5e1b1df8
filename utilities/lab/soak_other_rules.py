"""The kinds of operation of the soak that are done by others than our operator.  Pure.

Somebody works on the tenant's router in OVN, upgrades a database, changes a remote site, or gives a
host another key.
"""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Iterator
from dataclasses import replace

from .peer_conf import KINDS, STOCK
from .soak_failure_rules import list_running
from .soak_model import DATABASES, State
from .soak_rule import Rule, Words, list_vpns, stay
from .tenant import UPSTREAM, Tenant

# Beneath those that svc-northd gives its own.
PRIORITIES = ("1", "1000", "32000", "32764")
FOREIGN_MAX = 4
LIFETIMES = ("short", "long")

# What somebody has on the router for purposes of their own, and how it goes again, as ovn-nbctl(8)
# has it.
FOREIGN = {
    "allow-from": (
        "lr-policy-add {router} {priority} 'ip4.src == {subnet}' allow",
        "lr-policy-del {router} {priority} 'ip4.src == {subnet}'",
    ),
    "allow-to": (
        "lr-policy-add {router} {priority} 'ip4.dst == {site_subnet}' allow",
        "lr-policy-del {router} {priority} 'ip4.dst == {site_subnet}'",
    ),
    "drop-to": (
        "lr-policy-add {router} {priority} 'ip4.dst == {site_subnet}' drop",
        "lr-policy-del {router} {priority} 'ip4.dst == {site_subnet}'",
    ),
    "reroute-to": (
        "lr-policy-add {router} {priority} 'ip4.dst == {wide}' reroute {upstream}",
        "lr-policy-del {router} {priority} 'ip4.dst == {wide}'",
    ),
    "route-same": (
        "lr-route-add {router} {site_subnet} {upstream}",
        "lr-route-del {router} {site_subnet} {upstream}",
    ),
    "route-from": (
        "--policy=src-ip lr-route-add {router} {subnet} {upstream}",
        "--policy=src-ip lr-route-del {router} {subnet} {upstream}",
    ),
    "route-wide": (
        "lr-route-add {router} 192.168.0.0/17 {upstream}",
        "lr-route-del {router} 192.168.0.0/17 {upstream}",
    ),
    "discard": (
        "lr-route-add {router} 192.168.0.0/16 discard",
        "lr-route-del {router} 192.168.0.0/16 discard",
    ),
    "snat": (
        "lr-nat-add {router} snat {snat} {half}",
        "lr-nat-del {router} snat {half}",
    ),
    "floating": (
        "lr-nat-add {router} dnat_and_snat {floating} {guest}",
        "lr-nat-del {router} dnat_and_snat {floating}",
    ),
    "balancer": (
        "lb-add soak-{router} {virtual}:80 {guest}:80 tcp -- lr-lb-add {router} soak-{router}",
        "lb-del soak-{router}",
    ),
    "balancer-inside": (
        "lb-add in-{router} {inside}:80 {guest}:80 tcp -- lr-lb-add {router} in-{router}",
        "lb-del in-{router}",
    ),
}
POLICIES = ("allow-from", "allow-to", "drop-to", "reroute-to")


def list_translated(tenant: Tenant) -> dict[str, str]:
    """Returns the addresses on the provider network that foreign rows give to a tenant's guests."""
    network = ipaddress.ip_interface(f"{UPSTREAM}/24").network
    first = {"snat": 140, "floating": 150, "virtual": 160}
    return {name: str(network[number + tenant.number]) for name, number in first.items()}


def format_foreign(tenant: Tenant, words: str) -> tuple[list[str], list[str]]:
    """Returns the arguments of ovn-nbctl that make a foreign row, and those that remove it.

    'words' are its name in FOREIGN and a priority, if it has one.
    """
    name, _, priority = words.partition(" ")
    subnet = ipaddress.ip_network(tenant.subnet)
    known = list_translated(tenant) | {
        "router": tenant.router,
        "subnet": tenant.subnet,
        "half": str(next(iter(subnet.subnets()))),
        "guest": str(subnet[11]),
        "inside": str(subnet[200]),
        "site_subnet": tenant.site_subnet,
        "wide": str(ipaddress.ip_network(tenant.site_subnet).supernet(1)),
        "upstream": UPSTREAM,
        "priority": priority,
    }
    make, unmake = (shlex.split(each.format(**known)) for each in FOREIGN[name])
    return make, unmake


def list_foreign(state: State) -> Iterator[Words]:
    """Gives what may be added to a router: what it has not, while there are few in all."""
    if len(state.foreign) < FOREIGN_MAX:
        for number in state.tenants:
            for name in FOREIGN:
                for priority in PRIORITIES if name in POLICIES else ("",):
                    words = str(number), f"{name} {priority}".strip()
                    if words not in state.foreign:
                        yield words


def list_convertible(state: State) -> Iterator[Words]:
    """Gives the databases that are served."""
    yield from list_running(state, (*DATABASES, "ovsdb-server"))


def list_sites(state: State) -> Iterator[Words]:
    """Gives what each tenant's site may be like next."""
    for number in state.tenants:
        yield from ((str(number), like) for like in KINDS if like != state.likes.get(number, STOCK))


OTHERS: dict[str, Rule] = {
    "foreign-add": Rule(8, list_foreign, lambda s, t, v: replace(s, foreign=s.foreign | {(t, v)})),
    "foreign-del": Rule(
        4, lambda s: sorted(s.foreign), lambda s, t, v: replace(s, foreign=s.foreign - {(t, v)})
    ),
    "convert": Rule(4, list_convertible, stay, commands=False),
    "rekey": Rule(3, lambda s: ((h, "") for h in ("central", *s.chassis)), stay, commands=False),
    "site": Rule(4, list_sites, lambda s, t, v: replace(s, likes={**s.likes, int(t): v})),
    "lifetime": Rule(4, lambda s: ((t, v) for t, _ in list_vpns(s) for v in LIFETIMES), stay),
}
