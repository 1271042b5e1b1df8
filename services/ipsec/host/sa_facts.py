"""What is told of the SAs of a tunnel: algorithms, NAT, when they are made anew.  Pure.

A moment is told as vici told it when the SA was first seen, to the minute, so
that nothing is written again and again for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ....lib.moment import format_time
from .vici import text

Sa = Mapping[str, Any]
"""An IKE_SA or a child SA as list-sas has it."""

_MINUTE_MS = 60_000
_NAT = {
    "nat-local": "this side",
    "nat-remote": "the peer",
    # What force_udp_encapsulation makes the peer believe.
    "nat-fake": "forced",
}
_COUNTERS = {
    "bytes_in": "bytes-in",
    "bytes_out": "bytes-out",
    "packets_in": "packets-in",
    "packets_out": "packets-out",
}


class Moments:
    """When SAs are made anew or end, each as it was first told."""

    def __init__(self, wall_clock_ms: Callable[[], int]) -> None:
        self._wall_clock_ms = wall_clock_ms
        self._told: dict[tuple[str, str], str] = {}

    def find(self, number: str, key: str, sa: Sa) -> str:
        """Returns when what 'key' of vici counts down to is, as text; "" if it is never."""
        left = text(sa.get(key))
        known = self._told.get((number, key), "")
        if not known and left.isdigit() and int(left):
            moment_ms = self._wall_clock_ms() + int(left) * 1000
            known = format_time(-(-moment_ms // _MINUTE_MS) * _MINUTE_MS)
            self._told[number, key] = known
        return known

    def keep(self, sas: Iterable[Sa]) -> None:
        """Forgets all SAs but these IKE_SAs with their child SAs."""
        present = set()
        for ike_sa in sas:
            present.add(_find_ike_key(ike_sa))
            present.update(map(_find_child_key, (ike_sa.get("child-sas") or {}).values()))
        self._told = {pair: told for pair, told in self._told.items() if pair[0] in present}


def describe_ike(ike_sa: Sa, moments: Moments) -> dict[str, str]:
    """Returns what is told of an IKE_SA."""
    number = _find_ike_key(ike_sa)
    nat = [told for key, told in _NAT.items() if text(ike_sa.get(key)) == "yes"]
    return {
        "ike_algorithms": f"IKEv{text(ike_sa.get('version'))} {format_algorithms(ike_sa)}",
        "ike_rekeyed_at": moments.find(number, "rekey-time", ike_sa),
        "opened_by": "this side" if text(ike_sa.get("initiator")) == "yes" else "the peer",
        "nat": ", ".join(nat),
    }


def describe_child(child: Sa, moments: Moments) -> dict[str, str]:
    """Returns what is told of a child SA."""
    number = _find_child_key(child)
    return {
        "esp_algorithms": f"ESP {format_algorithms(child)}",
        "esp_rekeyed_at": moments.find(number, "rekey-time", child),
        "esp_ends_at": moments.find(number, "life-time", child),
        "encapsulation": "UDP" if text(child.get("encap")) == "yes" else "none",
    }


def find_selectors(children: Sequence[Sa]) -> dict[str, str]:
    """Returns the traffic selectors as they were negotiated."""
    return {
        "local_subnets": _join(children, "local-ts"),
        "peer_subnets": _join(children, "remote-ts"),
    }


def count(children: Iterable[Sa]) -> dict[str, int]:
    """Returns what went through child SAs."""
    members = list(children)
    return {
        name: sum(int(text(each.get(key)) or 0) for each in members)
        for name, key in _COUNTERS.items()
    }


def count_nothing() -> dict[str, int]:
    """Returns the counters of no child SA."""
    return dict.fromkeys(_COUNTERS, 0)


def add(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Returns the sums of two sets of counters."""
    return {name: one[name] + other[name] for name in _COUNTERS}


def find_gone(before: Iterable[Sa], after: Iterable[Sa]) -> list[Sa]:
    """Returns those of the SAs 'before' that are not there 'after', as they were seen last."""
    present = {find_number(each) for each in after}
    return [each for each in before if find_number(each) not in present]


def find_number(sa: Sa) -> int:
    """Returns the number that charon has given an SA; a later one has a greater one."""
    number = text(sa.get("uniqueid"))
    return int(number) if number.isdigit() else 0


def format_algorithms(sa: Sa) -> str:
    """Returns the negotiated algorithms in the names of vici, such as AES_CBC_128."""
    cipher = text(sa.get("encr-alg"))
    if sa.get("encr-keysize"):
        cipher += f"_{text(sa.get('encr-keysize'))}"
    # An AEAD cipher has no algorithm of its own for integrity; an IKE_SA then names its PRF.
    integrity = text(sa.get("integ-alg")) or text(sa.get("prf-alg"))
    numbers = "ESN" if text(sa.get("esn")) == "1" else ""
    return "/".join(part for part in (cipher, integrity, text(sa.get("dh-group")), numbers) if part)


def _find_ike_key(ike_sa: Sa) -> str:
    return f"ike {find_number(ike_sa)}"


def _find_child_key(child: Sa) -> str:
    # It stays the same when its IKE_SA is made anew.
    return f"child {find_number(child)}"


def _join(children: Sequence[Sa], key: str) -> str:
    found = dict.fromkeys(text(each) for child in children for each in child.get(key) or ())
    return ",".join(found)
