"""The other side as strongSwan's swanctl.conf.  Pure.

The file's words are those of swanctl.conf(5); strings are quoted as the lexer of
strongSwan's settings takes them (libstrongswan, settings/settings_lexer.l).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Union

from .remote_side import HOW_TO_SEE, PLACEHOLDER, RemoteChild, RemoteSide, Subnets, list_notes
from .strongswan_key import format_key

Section = Mapping[str, Union[str, "Section"]]
"""Values and sections by name; a name that begins with "#" is a comment."""

_INDENT = "    "


def format_side(side: RemoteSide) -> list[str]:
    """Returns the lines of the file."""
    notes = [
        *list_notes(side),
        "As /etc/swanctl/conf.d/*.conf, which only root may read; load it by: swanctl --load-all",
    ]
    document = {
        "connections": {side.label: _make_connection(side)},
        "secrets": {f"ike-{side.label}": _make_secret(side)},
    }
    return [*(f"# {note}" for note in notes), *_format(document, "")]


def quote(value: str) -> str:
    """Returns a string that is read back as 'value'."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    for character, letter in (("\n", "n"), ("\r", "r"), ("\t", "t")):
        escaped = escaped.replace(character, f"\\{letter}")
    return f'"{escaped}"'


def _make_connection(side: RemoteSide) -> Section:
    rekey_s = max(1, side.ike_lifetime_s * 9 // 10)
    return {
        "version": str(side.ike_version),
        "local_addrs": side.local_address,
        "remote_addrs": side.remote_address,
        "proposals": ",".join(side.ike_proposals),
        "rekey_time": f"{rekey_s}s",
        "over_time": f"{side.ike_lifetime_s - rekey_s}s",
        "reauth_time": "0s",
        "dpd_delay": f"{side.dpd_interval_s or 0}s",
        "dpd_timeout": f"{side.dpd_timeout_s}s",
        "encap": "yes" if side.force_udp_encapsulation else "no",
        "mobike": "no",
        "unique": "replace",
        # For ever, as the other side does.
        "keyingtries": "0",
        "send_cert": "never",
        "local": {"auth": "psk", "id": quote(side.local_id)},
        "remote": {"auth": "psk", "id": quote(side.remote_id)},
        "children": {
            label: _make_child(side, child, local, remote)
            for label, child, local, remote in side.list_sas()
        },
    }


def _make_child(side: RemoteSide, child: RemoteChild, local: Subnets, remote: Subnets) -> Section:
    most = child.esp_lifetime_bytes
    volume: Section = {}
    if most is not None:
        volume = {
            "life_bytes": str(most),
            "rekey_bytes": str(most * 8 // 10),
            "rand_bytes": str(most // 10),
        }
    return {
        "mode": "tunnel",
        "local_ts": ",".join(local),
        "remote_ts": ",".join(remote),
        "esp_proposals": ",".join(child.esp_proposals),
        "life_time": f"{child.esp_lifetime_s}s",
        "rekey_time": f"{max(1, child.esp_lifetime_s * 9 // 10)}s",
        **volume,
        # By traffic, so that the two sides do not open it at the same moment.
        "start_action": "start" if side.must_initiate else "trap",
        "dpd_action": "restart" if side.reopens else "clear",
        "close_action": "start" if side.must_initiate else "none",
    }


def _make_secret(side: RemoteSide) -> Section:
    owners = {"id-local": quote(side.local_id), "id-remote": quote(side.remote_id)}
    if side.psk is None:
        return {
            **owners,
            f"# the pre-shared key of the connection ({HOW_TO_SEE})": "",
            f'# secret = "{PLACEHOLDER}"': "",
        }
    return {**owners, "secret": format_key(side.psk)}


def _format(section: Section, indent: str) -> Iterator[str]:
    for name, value in section.items():
        if name.startswith("#"):
            yield f"{indent}{name}"
        elif isinstance(value, str):
            yield f"{indent}{name} = {value}"
        else:
            yield f"{indent}{name} {{"
            yield from _format(value, indent + _INDENT)
            yield f"{indent}}}"
