"""A remote site on the provider network, outside OVN: stock strongSwan, none of our code.

The host is the site's gateway; behind it, in the namespace "NAME-lan", is a machine with one
address in each of the site's subnets.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass

from . import process
from .errors import LabError
from .host import Host

PROCESSES = ("charon",)
STRONGSWAN_CONF = "/etc/strongswan.d/lab.conf"
CONNECTIONS_CONF = "/etc/swanctl/conf.d/site.conf"
LOG = "/var/log/charon.log"


@dataclass(frozen=True, slots=True)
class Site:
    """What the remote site's administrator knows of us and has agreed with us."""

    address: str
    subnets: tuple[str, ...]
    local_site_address: str
    local_subnets: tuple[str, ...]
    psk: str


def format_strongswan(use_kernel_esp: bool) -> str:
    """Returns what is added to Debian's strongswan.conf."""
    libipsec = "" if use_kernel_esp else "plugins {\n        kernel-libipsec {\n            load = yes\n        }\n    }"
    return f"""charon-systemd {{
    {libipsec}
    filelog {{
        log {{
            path = {LOG}
            default = 1
            flush_line = yes
            time_format = %T
        }}
    }}
}}
"""


def start(host: Host, name: str) -> None:
    """Starts charon."""
    assert name == "charon"


def build(host: Host) -> None:
    """Makes the network behind the gateway."""
