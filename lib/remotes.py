"""What can be a remote of an OVSDB client or server (ovsdb(7), "Connection Methods").  Pure.

A function named find_..._problem returns None if all is well.
"""

from __future__ import annotations

import ipaddress
import re

from .numbers import parse_number

_MOST = 65535
# A name of a host (RFC 1123, 2.1), which is no number.
_HOST = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


def find_remote_problem(remotes: str, *, has_keys: bool = False) -> str | None:
    """Returns in a sentence why python-ovs cannot connect to 'remotes', separated by commas.

    It takes unix:PATH and, with ports and without resolving names, tcp:IP:PORT and, where there
    are keys, ssl:IP:PORT.
    """
    for remote in remotes.split(","):
        method, _, rest = remote.partition(":")
        if method == "unix" and rest:
            if not _is_text(rest):
                return f"{remote!a} is not valid UTF-8"
            continue
        if method == "ssl" and not has_keys:
            return f"{remote!a}: TLS needs --private-key, --certificate and --ca-cert"
        if method not in ("tcp", "ssl"):
            return f"{remote!a} is not unix:PATH, tcp:IP:PORT or ssl:IP:PORT"
        problem = _find_active_problem(remote, method, rest)
        if problem is not None:
            return problem
    return None


def _find_active_problem(remote: str, method: str, rest: str) -> str | None:
    host, port = _split_port(rest)
    if not host or parse_number(port, 1, _MOST) is None:
        return f"{remote!a} has no port: it must be {method}:IP:PORT"
    if not _is_address(host):
        return f"{remote!a}: {host!a} is not an IP address, and names are not resolved"
    if ":" in host and f"[{host}]" not in rest:
        return f"{remote!a}: an IPv6 address is written in brackets, as {method}:[{host}]:{port}"
    return None


def _is_text(text: str) -> bool:
    """Returns whether it can be the name of a file: OVSDB lets a string hold more."""
    return "\0" not in text and not any("\ud800" <= each <= "\udfff" for each in text)


def find_target_problem(target: str) -> str | None:
    """Returns in a sentence why an ovsdb-server can neither listen on nor call 'target'."""
    method, _, rest = target.partition(":")
    if method in ("unix", "punix"):
        return None if rest else f"a path must follow {method}:"
    if method in ("ptcp", "pssl"):
        return _find_passive_problem(method, rest)
    if method not in ("tcp", "ssl"):
        return "a target is ptcp:, pssl:, punix:, tcp:, ssl: or unix:"
    bare = rest.removeprefix("[").removesuffix("]")
    host, port = (bare, "") if _is_address(bare) else _split_port(rest)
    named = _HOST.fullmatch(host) is not None or _is_address(host)
    if not named or (port and parse_number(port, 1, _MOST) is None):
        listens = f"p{method}:[PORT][:IP]"
        return f"it must be {method}:HOST[:PORT] to call there, or {listens} to listen"
    return None


def _find_passive_problem(method: str, rest: str) -> str | None:
    port, _, host = rest.partition(":")
    if port and parse_number(port, 0, _MOST) is None:
        return f"{port!r} is not a port: it must be {method}:[PORT][:IP]"
    if host and not _is_address(host.removeprefix("[").removesuffix("]")):
        return f"{host!r} is not an IP address: it must be {method}:[PORT][:IP]"
    return None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _split_port(text: str) -> tuple[str, str]:
    """Returns the address without its brackets, and the port or ""."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]:")
    else:
        host, _, port = text.rpartition(":")
    return host or text, port if host else ""
