"""The other side as strongSwan's older ipsec.conf and ipsec.secrets.  Pure.

Words as in ipsec.conf(5) and ipsec.secrets(5); strings are quoted as the lexer of
strongSwan's starter takes them (starter, parser/lexer.l).
"""

from __future__ import annotations

from collections.abc import Iterator

from ..identity import FQDN, KEY_ID, MAILBOX, parse
from .remote_side import HOW_TO_SEE, PLACEHOLDER, RemoteChild, RemoteSide, list_notes, refuse
from .strongswan_key import format_key

_KINDS = {FQDN: "fqdn", MAILBOX: "email", KEY_ID: "keyid"}

CONF = "# ---- /etc/ipsec.conf ----"
SECRETS = "# ---- /etc/ipsec.secrets, which only root may read ----"


def format_side(side: RemoteSide) -> list[str]:
    """Returns the lines of both files, each behind a line with its name."""
    return [CONF, *_format_conf(side), SECRETS, *_format_secrets(side)]


def quote(value: str) -> str:
    """Returns a string that is read back as 'value'."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _format_conf(side: RemoteSide) -> Iterator[str]:
    yield from (f"# {note}" for note in list_notes(side))
    for label, child, local, remote in side.list_sas():
        yield f"conn {label}"
        for line in (*_list_settings(side), *_list_child_settings(side, child)):
            yield f"    {line}"
        yield f"    leftsubnet={','.join(local)}"
        yield f"    rightsubnet={','.join(remote)}"
        yield ""


def _list_settings(side: RemoteSide) -> Iterator[str]:
    ends = {"left": (side.local_address, side.local_id)}
    ends["right"] = (side.remote_address, side.remote_id)
    yield f"keyexchange=ikev{side.ike_version}"
    for end, (address, identity) in ends.items():
        yield f"{end}={address}"
        yield f"{end}id={quote(_find_identity(side, identity))}"
        yield f"{end}auth=psk"
    # With "!" nothing but this is offered and taken.
    yield f"ike={','.join(side.ike_proposals)}!"
    yield f"ikelifetime={side.ike_lifetime_s}s"
    yield "reauth=no"
    yield "keyingtries=%forever"
    yield "mobike=no"
    yield f"forceencaps={'yes' if side.force_udp_encapsulation else 'no'}"
    if side.dpd_interval_s is None:
        yield "dpdaction=none"
    else:
        yield f"dpdaction={'restart' if side.reopens else 'clear'}"
        yield f"dpddelay={side.dpd_interval_s}s"
        yield f"dpdtimeout={side.dpd_timeout_s}s"


def _list_child_settings(side: RemoteSide, child: RemoteChild) -> Iterator[str]:
    yield f"esp={','.join(child.esp_proposals)}!"
    yield f"lifetime={child.esp_lifetime_s}s"
    yield f"margintime={max(1, child.esp_lifetime_s // 10)}s"
    if child.esp_lifetime_bytes is not None:
        yield f"lifebytes={child.esp_lifetime_bytes}"
        yield f"marginbytes={child.esp_lifetime_bytes // 5}"
    # At another moment than the other side.
    yield "rekeyfuzz=100%"
    yield f"closeaction={'restart' if side.must_initiate else 'none'}"
    # By traffic, so that the two sides do not open it at the same moment.
    yield f"auto={'start' if side.must_initiate else 'route'}"


def _find_identity(side: RemoteSide, identity: str) -> str:
    """Returns an identity as leftid and rightid take it, where a % has a meaning of its own."""
    if not identity.startswith("%"):
        return identity
    kind = _KINDS.get(parse(identity).kind)
    if kind is None:
        raise refuse(side, "ipsec.conf", f"the identity {identity}")
    return f"{kind}:{identity}"


def _format_secrets(side: RemoteSide) -> Iterator[str]:
    owners = " ".join(_quote_owner(side, each) for each in (side.local_id, side.remote_id))
    if side.psk is None:
        yield f"# the pre-shared key of the connection ({HOW_TO_SEE})"
        yield f'# {owners} : PSK "{PLACEHOLDER}"'
    else:
        yield f"{owners} : PSK {format_key(side.psk)}"


def _quote_owner(side: RemoteSide, identity: str) -> str:
    """Returns an identity as ipsec.secrets takes it: in quotes without any way to escape one."""
    for mark in "\"'":
        if mark not in identity:
            return f"{mark}{identity}{mark}"
    raise refuse(side, "ipsec.secrets", f"the identity {identity}")
