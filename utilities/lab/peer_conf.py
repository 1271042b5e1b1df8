"""The files of a remote site's strongSwan, of the kind that its administrator has.  Pure.

strongSwan stands in for gateways of other makes: a 'Kind' is one of their ways that a VPN to them
has to cope with.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from .errors import LabError

CHILD = "site"
LOG = "/var/log/charon.log"
STOCK = "stock"
CLOSING_S = 20


@dataclass(frozen=True, slots=True)
class Kind:
    """A way of a remote gateway, in the words of swanctl.conf(5).

    'words' is for --help.  With 'one_pair' each pair of subnets is a child of its own, so that an
    offer of several pairs is narrowed to one of them.  With 'halves' of each of the site's subnets
    the lower half only is served.
    """

    words: str
    version: int = 2
    esp_proposals: str = "default"
    child: tuple[str, ...] = ()
    one_pair: bool = False
    halves: bool = False


KINDS = {
    STOCK: Kind("as strongSwan is without further words"),
    "one-pair": Kind("one pair of subnets for each SA, as Cisco's ASA", one_pair=True),
    "no-pfs": Kind("no Diffie-Hellman group for an SA", esp_proposals="aes256-sha256"),
    # In IKEv1 the first child is negotiated with its group, which strongSwan's default has not.
    "ikev1": Kind("IKEv1 only", 1, "aes256-sha256-modp2048,aes256-sha256", one_pair=True),
    "narrowing": Kind("takes the lower half of each of its subnets", halves=True),
    # Its SAs run out and are not made anew by it.
    "closing": Kind(
        f"closes each child SA after {CLOSING_S} s",
        child=("rekey_time = 0s", f"life_time = {CLOSING_S}s", "rand_time = 0s"),
    ),
}


@dataclass(frozen=True, slots=True)
class Site:
    """What the remote site's administrator has, and has agreed with us; 'like' is of KINDS."""

    address: str
    subnets: tuple[str, ...]
    local_site_address: str
    local_subnets: tuple[str, ...]
    psk: str
    like: str = STOCK


def check_site(site: Site) -> None:
    """Raises LabError where the site's words are no addresses or subnets, or the PSK is bad."""
    try:
        ipaddress.ip_interface(site.address)
        ipaddress.ip_address(site.local_site_address)
        for subnet in site.subnets + site.local_subnets:
            ipaddress.ip_network(subnet)
    except ValueError as error:
        raise LabError(str(error)) from None
    if not site.psk or not site.psk.isprintable():
        raise LabError("the PSK is empty or not one line of text")
    if site.like not in KINDS:
        raise LabError(f"{site.like}: a peer is like one of {', '.join(KINDS)}")


def format_swanctl(site: Site) -> str:
    """Returns the site's swanctl.conf: one connection, which either side may start."""
    own = site.address.partition("/")[0]
    ours = site.local_site_address
    return f"""connections {{
    site {{
        version = {KINDS[site.like].version}
        local_addrs = {own}
        remote_addrs = {ours}
        dpd_delay = 10s
        unique = replace
        local {{
            auth = psk
            id = {own}
        }}
        remote {{
            auth = psk
            id = {ours}
        }}
        children {{
{"".join(format_child(site, *child) for child in list_children(site))}        }}
    }}
}}
secrets {{
    ike-site {{
        id = {ours}
        secret = 0s{base64.b64encode(site.psk.encode()).decode()}
    }}
}}
"""


def list_children(site: Site) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Gives each child SA that the site takes: its name, the site's subnets and ours."""
    kind = KINDS[site.like]
    subnets = tuple(map(take_half, site.subnets)) if kind.halves else site.subnets
    if not kind.one_pair or len(subnets) * len(site.local_subnets) == 1:
        yield CHILD, subnets, site.local_subnets
        return
    for number, (one, other) in enumerate(product(subnets, site.local_subnets), start=1):
        yield f"{CHILD}-{number}", (one,), (other,)


def take_half(subnet: str) -> str:
    """Returns the lower half of a subnet; one of a single address as a whole."""
    network = ipaddress.ip_network(subnet)
    return str(next(iter(network.subnets()))) if network.num_addresses > 1 else subnet


def format_child(site: Site, name: str, subnets: tuple[str, ...], ours: tuple[str, ...]) -> str:
    """Returns the section of one child SA."""
    kind = KINDS[site.like]
    lines = [
        f"local_ts = {','.join(subnets)}",
        f"remote_ts = {','.join(ours)}",
        f"esp_proposals = {kind.esp_proposals}",
        "dpd_action = clear",
        *kind.child,
    ]
    inside = "".join(f"                {line}\n" for line in lines)
    return f"            {name} {{\n{inside}            }}\n"


def format_strongswan(kernel_esp: bool) -> str:
    """Returns what the site adds to Debian's strongswan.conf."""
    return f"""charon-systemd {{
    plugins {{
        kernel-libipsec {{
            load = {"no" if kernel_esp else "yes"}
        }}
    }}
    filelog {{
        log {{
            path = {LOG}
            flush_line = yes
            time_format = %T
        }}
    }}
}}
"""
