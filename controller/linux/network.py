"""Driver of what is inside a namespace: addresses, routes, filter, forwarding.

Ours are the global addresses of the ports and lo, the routes of the main table with
protocol 'static', and the nft table 'inet ovnsvc'; what a daemon adds beside
them (routes in tables of its own, links) is left alone.

The rule set is read back from the state directory, where apply() puts it after
the kernel took it, and counts only while the table is in the kernel.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import subprocess
from collections.abc import Iterable
from typing import Any

from pyroute2.netlink.exceptions import NetlinkError

from ...lib import state_file
from ...lib.errors import HostError
from ...services.api.host import Address, Network
from . import netns
from .directory import find_directory
from .link import describe_refusal, find_link, find_veths, ignored_if_gone, opened
from .routing import read_routes, read_rules, sync_routes, sync_rules

TABLE = "inet ovnsvc"

# Far below the time after which a chassis is taken for dead.
_NFT_TIMEOUT_S = 0.8

_SCOPE_GLOBAL = 0
_NODAD = 0x02

# Before any other interface is made there, since each inherits the default.
_SYSCTLS = {
    "ipv4/ip_forward": "1",
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
    "ipv4/conf/all/send_redirects": "0",
    "ipv4/conf/default/send_redirects": "0",
    "ipv6/conf/all/forwarding": "1",
    "ipv6/conf/all/accept_ra": "0",
}


# Of each port, to be 0.
_PORT_SYSCTLS = ("rp_filter", "send_redirects")


class NetworkDriver:
    """Networks of namespaces; they go with their namespace."""

    def owned(self) -> set[str]:
        return set()

    def owns(self, container: str) -> bool:
        return False

    def read(self, container: str) -> Network | None:
        if netns.find_inode(container) is None:
            return None
        with netns.entered(container):
            with opened() as route:
                lo, ports = _find_lo(route), _find_ports(route)
                if lo is None or not lo["flags"] & 1:
                    return None
                addresses = sorted(
                    Address(address, name)
                    for name, index in ports.items()
                    for address in _read_addresses(route, index)
                )
                loopback = _read_addresses(route, lo["index"])
                routes, rules = read_routes(route, ports), read_rules(route)
            own = _find_sysctls(ports)
            right = all(_read_sysctl(name) in (value, None) for name, value in own.items())
            ruleset, sysctls = _read_ruleset(container), _read_own_sysctls(container)
        network = Network(tuple(addresses), loopback, routes, ruleset, rules, sysctls)
        return network if right else None

    def apply(self, container: str, wanted: Network) -> None:
        try:
            self._apply(container, wanted)
        except (NetlinkError, OSError) as error:
            reason = describe_refusal(error)
            raise HostError(f"the network of {container} cannot be set up: {reason}") from error

    def remove(self, container: str) -> bool:
        return True

    def _apply(self, container: str, wanted: Network) -> None:
        """Filter first, forwarding last: nothing passes a namespace half set up."""
        with netns.entered(container):
            if _read_ruleset(container) != wanted.ruleset:
                _write_ruleset(container, wanted.ruleset)
            with opened() as route:
                lo, ports = _find_lo(route), _find_ports(route)
                used = {each.interface for each in wanted.addresses}
                used |= {each.interface for each in wanted.routes if each.gateway is not None}
                missing = sorted(used - ports.keys())
                if lo is None or missing:
                    what = ", ".join(missing) or "lo"
                    raise HostError(f"{what} is missing in namespace {container}")
                if not lo["flags"] & 1:
                    route.link("set", index=lo["index"], state="up")
                _sync_addresses(route, lo["index"], wanted.loopback)
                for name, index in ports.items():
                    mine = [each.address for each in wanted.addresses if each.interface == name]
                    _sync_addresses(route, index, mine)
                sync_routes(route, ports, wanted.routes)
                sync_rules(route, wanted.rules)
            for name, value in _find_sysctls(ports).items():
                _write_sysctl(name, value)
            _write_own_sysctls(container, wanted.sysctls)


def _find_lo(route: Any) -> Any | None:
    return find_link(route, "lo")


def _find_ports(route: Any) -> dict[str, int]:
    """Returns the indexes of the ends of our links by name; a daemon may have made others."""
    return {str(each.get_attr("IFLA_IFNAME")): int(each["index"]) for each in find_veths(route)}


def _find_sysctls(ports: Iterable[str]) -> dict[str, str]:
    own = {f"ipv4/conf/{name}/{key}": "0" for name in ports for key in _PORT_SYSCTLS}
    return {**_SYSCTLS, **own}


def set_mtu(container: str, name: str, mtu: int) -> None:
    """Sets the MTU of a link that a daemon made in the namespace of 'container'."""
    with netns.entered(container), opened() as route:
        found = find_link(route, name)
        if found is not None and found.get_attr("IFLA_MTU") != mtu:
            with ignored_if_gone():
                route.link("set", index=found["index"], mtu=mtu)


def _read_addresses(route: Any, index: int) -> tuple[str, ...]:
    found = [
        f"{each.get_attr('IFA_LOCAL') or each.get_attr('IFA_ADDRESS')}/{each['prefixlen']}"
        for each in route.get_addr(index=index)
        if each["scope"] == _SCOPE_GLOBAL
    ]
    return tuple(sorted(found))


def _sync_addresses(route: Any, index: int, wanted: Iterable[str]) -> None:
    actual = set(_read_addresses(route, index))
    for text in sorted(actual - set(wanted)):
        interface = ipaddress.ip_interface(text)
        route.addr("del", index=index, address=str(interface.ip), prefixlen=_length(interface))
    for text in sorted(set(wanted) - actual):
        interface = ipaddress.ip_interface(text)
        flags = {"flags": _NODAD} if interface.version == 6 else {}
        route.addr(
            "add", index=index, address=str(interface.ip), prefixlen=_length(interface), **flags
        )


def _length(interface: ipaddress.IPv4Interface | ipaddress.IPv6Interface) -> int:
    return int(interface.network.prefixlen)


def _read_ruleset(container: str) -> str:
    recorded = state_file.read_text(_ruleset_path(container))
    if recorded is None:
        return ""
    tables = _run_nft(["list", "tables"], "")
    return recorded if f"table {TABLE}" in tables.splitlines() else ""


def _write_ruleset(container: str, ruleset: str) -> None:
    """Puts 'ruleset' in place of the one that is there, in one transaction of nft."""
    path = _ruleset_path(container)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    _run_nft(
        ["-f", "-"],
        f"table {TABLE} {{}}\ndelete table {TABLE}\ntable {TABLE} {{\n{ruleset}}}\n",
    )
    state_file.write(path, ruleset.encode())


def _ruleset_path(container: str) -> str:
    return os.path.join(find_directory(container), "ruleset.nft")


def _run_nft(arguments: list[str], text: str) -> str:
    try:
        done = subprocess.run(
            ["nft", *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=_NFT_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise HostError("nft is not installed (Debian package nftables)") from error
    except subprocess.TimeoutExpired as error:
        raise HostError(f"nft did not answer within {_NFT_TIMEOUT_S} s") from error
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["unknown error"])[0]
        raise HostError(f"nft refused the rules: {reason}")
    return done.stdout


def _read_own_sysctls(container: str) -> tuple[tuple[str, str], ...]:
    """Returns the settings that the service asked for, as they are."""
    names = state_file.read_json(_sysctl_path(container))
    if not isinstance(names, list) or not all(map(_is_sysctl, names)):
        return ()
    return tuple((name, _read_sysctl(name) or "") for name in names)


def _is_sysctl(name: object) -> bool:
    """Returns whether 'name' is a path below /proc/sys/net."""
    if not isinstance(name, str) or "\0" in name:
        return False
    return not name.startswith("/") and ".." not in name.split("/")


def _write_own_sysctls(container: str, wanted: Iterable[tuple[str, str]]) -> None:
    """Makes the settings, which are kept by name; what is not wanted any more stays as it is."""
    for name, value in wanted:
        if not _is_sysctl(name):
            raise HostError(f"{name!r} is not below /proc/sys/net")
        if _read_sysctl(name) is None:
            raise HostError(f"the kernel has no setting {name}")
        _write_sysctl(name, value)
    state_file.write_json(_sysctl_path(container), [name for name, _value in wanted])


def _sysctl_path(container: str) -> str:
    return os.path.join(find_directory(container), "sysctls.json")


def _read_sysctl(name: str) -> str | None:
    try:
        with open(f"/proc/sys/net/{name}", encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        return None


def _write_sysctl(name: str, value: str) -> None:
    if _read_sysctl(name) in (value, None):
        return
    with open(f"/proc/sys/net/{name}", "w", encoding="ascii") as file:
        file.write(value)
