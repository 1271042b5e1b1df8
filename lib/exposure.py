"""Whom a database lets in by where it listens, as sentences for who has set it so.  Pure.

Callers: svcctl and svc-sbctl, as remotes are set, and svcctl's status.  svc-ctl, a shell script,
has words of its own for what it starts.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from .schema import NORTHBOUND, SOUTHBOUND

CHASSIS_ROLE = "svc-controller"
"""What a client may write in the southbound on a remote with this role is a chassis' own."""

READER_ROLE = "svc-reader"
"""A client with this role writes nothing in the northbound, and cannot convert it."""

_ROLES = {SOUTHBOUND: CHASSIS_ROLE, NORTHBOUND: READER_ROLE}


def describe_reader(database: str, target: str) -> str:
    """Returns what a remote that is read-only lets who is there do without a role."""
    return (
        f"{target}: who may only read {database} there can convert it to a schema without its "
        f"content (ovsdb-server 3.1): use 'read-only role={_ROLES.get(database, READER_ROLE)}'"
    )


def is_exposed(remote: str) -> bool:
    """Returns whether another machine can reach a remote, or target of a server, without TLS."""
    method, _, rest = remote.partition(":")
    if method == "ptcp":
        hosts = [rest.partition(":")[2]]
    elif method == "tcp":
        hosts = [rest, rest.rpartition(":")[0]]
    else:
        return False
    # No address is each of the machine's; a name may be that of any other.
    return not any(_is_loopback(host) for host in hosts)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def find_exposures(database: str, remotes: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Returns what is to be known of each remote of a database, a pair of target and role."""
    known = sorted(set(remotes))
    has_role = any(role for _, role in known)
    for target, role in known:
        if is_exposed(target):
            yield f"{database} is open without TLS on {target}: {_describe_reach(database, role)}"
        elif database == SOUTHBOUND and target.startswith("pssl:") and not has_role:
            yield (
                f"{database} listens on {target} without a role: each chassis can change what is "
                f"another's; 'svc-sbctl set-connection role={CHASSIS_ROLE} {target}' ends that"
            )
        if role not in ("", _ROLES.get(database)):
            yield f"{database}: role {role} of {target} is none of ovnsvc's: nobody can write there"


def _describe_reach(database: str, role: str) -> str:
    reads = "whoever reaches it reads pre-shared keys"
    if role:
        writes = "it has a role, and a client without a certificate can write nothing"
        return writes if database == SOUTHBOUND else f"{reads}; {writes}"
    if database == SOUTHBOUND:
        return "whoever reaches it can change everything; use pssl, or a firewall"
    return f"{reads} and can change everything; use pssl, 127.0.0.1 or a firewall"
