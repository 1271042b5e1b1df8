"""The other side as commands of VyOS 1.4 and later.  Pure.

Nodes and their values are those of vyos-1x, interface-definitions/vpn_ipsec.xml.in.
VyOS writes identities and keys into a swanctl.conf as they are, so that what its
file could not hold is refused here.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..proposals import GROUP_NUMBERS
from .algorithms import Choice, list_choices
from .remote_side import HOW_TO_SEE, PLACEHOLDER, RemoteChild, RemoteSide, list_notes, refuse
from .strongswan_key import format_key

_IPSEC = "set vpn ipsec"
_LEAST_S, _MOST_S = 30, 86400
_LEAST_DPD_S = 2
_MOST_BYTES = 26_843_545_600_000
# One proposal is one choice of each kind.
_MOST_PROPOSALS = 64
_NO_INTEGRITY = "sha256"
_CIPHERS = {
    f"aes{bits}{mode}16": f"aes{bits}{mode}128"
    for bits in (128, 192, 256)
    for mode in ("gcm", "ccm")
}


def format_side(side: RemoteSide) -> list[str]:
    """Returns the commands, to be entered in configuration mode."""
    notes = [
        *list_notes(side),
        "To be entered in configuration mode, with a commit behind.  Beside it VyOS wants the",
        "interface that the tunnel goes out by, as: set vpn ipsec interface eth0",
    ]
    return [
        *(f"# {note}" for note in notes),
        *_format_ike(side),
        *(line for child in side.children for line in _format_esp(child)),
        *_format_peer(side),
        *_format_key(side),
    ]


def _format_ike(side: RemoteSide) -> Iterator[str]:
    group = f"{_IPSEC} ike-group {side.label}"
    yield f"{group} key-exchange 'ikev{side.ike_version}'"
    yield from _limit(group, "lifetime", side.ike_lifetime_s, (_LEAST_S, _MOST_S))
    yield f"{group} disable-mobike"
    yield f"{group} close-action '{'start' if side.must_initiate else 'none'}'"
    if side.dpd_interval_s is not None:
        peer = f"{group} dead-peer-detection"
        yield f"{peer} action '{'restart' if side.reopens else 'clear'}'"
        yield from _limit(peer, "interval", side.dpd_interval_s, (_LEAST_DPD_S, _MOST_S))
        yield from _limit(peer, "timeout", side.dpd_timeout_s, (_LEAST_DPD_S, _MOST_S))
    for number, choice in _number(list_choices(side.ike_proposals)):
        yield from _format_proposal(f"{group} proposal {number}", choice)
        yield f"{group} proposal {number} dh-group '{GROUP_NUMBERS[choice.group]}'"
        if choice.function:
            yield f"{group} proposal {number} prf '{choice.function}'"


def _format_esp(child: RemoteChild) -> Iterator[str]:
    group = f"{_IPSEC} esp-group {child.label}"
    yield f"{group} mode 'tunnel'"
    yield from _limit(group, "lifetime", child.esp_lifetime_s, (_LEAST_S, _MOST_S))
    if child.esp_lifetime_bytes is not None:
        yield from _limit(group, "life-bytes", child.esp_lifetime_bytes, (1024, _MOST_BYTES))
    choices = list_choices(child.esp_proposals)
    groups = list(dict.fromkeys(each.group for each in choices))
    yield f"{group} pfs '{_format_group(groups[0])}'"
    if len(groups) > 1:
        others = " or ".join(f"'{_format_group(each)}'" for each in groups[1:])
        yield f"# pfs {others} does as well"
    if any(each.numbers for each in choices):
        yield "# the other side wants extended sequence numbers (esn), which VyOS cannot be told"
    kept = dict.fromkeys(Choice(each.cipher, each.integrity) for each in choices)
    for number, choice in _number(list(kept)):
        yield from _format_proposal(f"{group} proposal {number}", choice)


def _format_group(group: str) -> str:
    return f"dh-group{GROUP_NUMBERS[group]}" if group else "disable"


def _format_proposal(proposal: str, choice: Choice) -> Iterator[str]:
    yield f"{proposal} encryption '{_CIPHERS.get(choice.cipher, choice.cipher)}'"
    # VyOS wants one of a cipher that authenticates by itself, too, and strongSwan drops it.
    yield f"{proposal} hash '{choice.integrity or _NO_INTEGRITY}'"


def _format_peer(side: RemoteSide) -> Iterator[str]:
    peer = f"{_IPSEC} site-to-site peer {side.label}"
    yield f"{peer} authentication mode 'pre-shared-secret'"
    yield f"{peer} authentication local-id {_quote_identity(side, side.local_id)}"
    yield f"{peer} authentication remote-id {_quote_identity(side, side.remote_id)}"
    if not side.must_initiate:
        yield "# With 'respond' VyOS opens the tunnel when there is traffic for it."
    yield f"{peer} connection-type '{'initiate' if side.must_initiate else 'respond'}'"
    yield f"{peer} ike-group '{side.label}'"
    yield f"{peer} local-address '{side.local_address}'"
    yield f"{peer} remote-address '{side.remote_address}'"
    if side.force_udp_encapsulation:
        yield f"{peer} force-udp-encapsulation"
    for number, (_, child, local, remote) in enumerate(side.list_sas(), start=1):
        tunnel = f"{peer} tunnel {number}"
        yield f"{tunnel} esp-group '{child.label}'"
        for end, subnets in (("local", local), ("remote", remote)):
            yield from (f"{tunnel} {end} prefix '{subnet}'" for subnet in subnets)


def _format_key(side: RemoteSide) -> Iterator[str]:
    key = f"{_IPSEC} authentication psk {side.label}"
    yield f"{key} id {_quote_identity(side, side.local_id)}"
    yield f"{key} id {_quote_identity(side, side.remote_id)}"
    if side.psk is None:
        yield f"# the pre-shared key of the connection ({HOW_TO_SEE})"
        yield f"# {key} secret '{PLACEHOLDER}'"
    else:
        # In base64, which strongSwan reads below VyOS: so nothing in it is a quote.
        yield f"{key} secret '{format_key(side.psk)}'"


def _limit(node: str, name: str, value: int, limits: tuple[int, int]) -> Iterator[str]:
    """Yields a number, or the nearest one that VyOS takes with a note."""
    taken = min(max(value, limits[0]), limits[1])
    if taken != value:
        yield f"# {name} should be {value}; VyOS takes {limits[0]} to {limits[1]}"
    yield f"{node} {name} '{taken}'"


def _number(choices: list[Choice]) -> Iterator[tuple[int, Choice]]:
    yield from enumerate(choices[:_MOST_PROPOSALS], start=1)


def _quote_identity(side: RemoteSide, identity: str) -> str:
    if any(mark in identity for mark in "'\"\\"):
        raise refuse(side, "vyos", f"the identity {identity}")
    return f"'{identity}'"
