"""What the namespace of an ipsec container needs, from its settings and its port. Pure.

Fail closed: the only traffic that is forwarded is between a connection's local
and peer subnets, and only into and out of IPsec.  A peer subnet without a
tunnel is unreachable: strongSwan's routes stand in table 220, which is looked
up before the main table.

With kernel-libipsec ESP goes through the TUN device ipsec0; with ESP of the
kernel it stays on svc0, and nft's 'rt ipsec' and 'meta ipsec' tell it from
clear traffic.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from ....lib.errors import ConfigError
from ...api.host import UNREACHABLE, Address, Network, Port, Route, Site
from .. import inner_mtu
from .balancers import format_refusals, format_translation
from .connections import Connection, Settings

_LEAST_INNER_MTU = {4: 576, 6: 1280}


def make_network(settings: Settings, site: Site, libipsec: bool) -> Network:
    """Returns the network of the namespace."""
    hosts = {_host(address) for address in settings.outer_addresses}
    for connection in settings.connections:
        # strongSwan takes a route's source address from inside the local subnet;
        # the network address of a subnet is used by no host.
        networks = (ipaddress.ip_network(each) for each in connection.local_subnets)
        hosts.update(_host(str(network.network_address)) for network in networks)
    return Network(
        addresses=tuple(sorted(map(Address, _find_port(site).addresses))),
        loopback=tuple(sorted(hosts)),
        routes=_make_routes(settings, site),
        ruleset=_format_ruleset(settings, libipsec),
    )


def find_inner_mtu(settings: Settings, site: Site) -> int:
    """Returns Settings:inner_mtu; raises ConfigError if the port cannot carry a tunnel."""
    port = _find_port(site)
    mtu = inner_mtu.find_inner_mtu(port.mtu, settings.outer_addresses)
    if mtu < _LEAST_INNER_MTU[4]:
        raise ConfigError(f"the port's MTU {port.mtu} is too small for a tunnel")
    return mtu


def _find_port(site: Site) -> Port:
    return site.ports[0]


def _host(address: str) -> str:
    parsed = ipaddress.ip_address(address)
    return f"{parsed}/{parsed.max_prefixlen}"


def _make_routes(settings: Settings, site: Site) -> tuple[Route, ...]:
    routes = []
    sources = {ipaddress.ip_address(each).version: each for each in settings.outer_addresses[::-1]}
    for gateway in _find_port(site).gateways:
        version = ipaddress.ip_address(gateway).version
        anywhere = "0.0.0.0/0" if version == 4 else "::/0"
        routes.append(Route(anywhere, gateway, sources.get(version)))
    peers = {peer for each in settings.connections for peer in each.peer_subnets}
    routes.extend(Route(peer, kind=UNREACHABLE) for peer in peers)
    return tuple(sorted(routes, key=lambda each: (each.destination, each.gateway or "")))


def _format_ruleset(settings: Settings, libipsec: bool) -> str:
    if libipsec:
        out, back = 'iifname "svc0" oifname "ipsec*"', 'iifname "ipsec*" oifname "svc0"'
    else:
        out = 'iifname "svc0" oifname "svc0" rt ipsec exists'
        back = 'iifname "svc0" oifname "svc0" meta ipsec exists'
    decrypted = 'iifname "ipsec*"' if libipsec else 'iifname "svc0" meta ipsec exists'
    lines = [*format_translation(settings, decrypted)]
    lines += ["chain forward {", "type filter hook forward priority filter; policy drop;"]
    lines.extend(format_refusals(settings, back))
    for connection in settings.connections:
        lines.extend(_format_rules(connection, settings.inner_mtu, out, back))
    return "\n".join([*lines, "}", ""])


def _format_rules(connection: Connection, mtu: int, out: str, back: str) -> Iterator[str]:
    for local in connection.local_subnets:
        for peer in connection.peer_subnets:
            version = ipaddress.ip_network(local).version
            if version != ipaddress.ip_network(peer).version:
                continue
            family = "ip" if version == 4 else "ip6"
            inner = min(mtu, connection.mtu or mtu)
            # A SYN only ever lowers what it offers.
            segment = inner_mtu.find_segment(inner, version)
            clamp = (
                f"tcp flags syn / syn,rst tcp option maxseg size > {segment} "
                f"tcp option maxseg size set {segment}"
            )
            there = f"{out} {family} saddr {local} {family} daddr {peer}"
            here = f"{back} {family} saddr {peer} {family} daddr {local}"
            yield from (f"{there} {clamp}", f"{here} {clamp}", f"{there} accept", f"{here} accept")
