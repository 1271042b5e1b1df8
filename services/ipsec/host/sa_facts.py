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
# A NAT gives its own port, if it is not one to one.
_IKE_PORTS = ("500", "4500")
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
    return {
        "ike_algorithms": f"IKEv{text(ike_sa.get('version'))} {format_algorithms(ike_sa)}",
        "ike_rekeyed_at": moments.find(number, "rekey-time", ike_sa),
        "opened_by": "this side" if text(ike_sa.get("initiator")) == "yes" else "the peer",
        "nat": ", ".join(_list_behind_nat(ike_sa)),
    }


def describe_child(child: Sa, ike_sa: Sa, moments: Moments, libipsec: bool) -> dict[str, str]:
    """Returns what is told of a child SA; 'libipsec' says that this chassis has it in UDP."""
    number = _find_child_key(child)
    encapsulated = text(child.get("encap")) == "yes"
    return {
        "esp_algorithms": f"ESP {format_algorithms(child)}",
        "esp_rekeyed_at": moments.find(number, "rekey-time", child),
        "esp_ends_at": moments.find(number, "life-time", child),
        "encapsulation": _tell_cause(ike_sa, libipsec) if encapsulated else "none",
    }


def _list_behind_nat(ike_sa: Sa) -> list[str]:
    """Returns which sides are seen to be behind a NAT.

    A peer that wants ESP in UDP says what one behind a NAT says; the port tells them apart.
    """
    found = ["this side"] if text(ike_sa.get("nat-local")) == "yes" else []
    port = text(ike_sa.get("remote-port"))
    if text(ike_sa.get("nat-remote")) == "yes" and port and port not in _IKE_PORTS:
        found.append("the peer")
    return found


def _tell_cause(ike_sa: Sa, libipsec: bool) -> str:
    """Returns why ESP is in UDP."""
    if libipsec:
        return "UDP (kernel-libipsec of this chassis)"
    if _list_behind_nat(ike_sa):
        return "UDP (NAT)"
    # What force_udp_encapsulation makes the peer believe.
    if text(ike_sa.get("nat-fake")) == "yes":
        return "UDP (force_udp_encapsulation)"
    return "UDP (the peer wants it, or is behind a NAT that keeps its port)"


def list_children(sas: Iterable[Any]) -> list[Sa]:
    """Returns the child SAs that IKE_SAs have; of an event with an old and a new one the old."""
    found: list[Sa] = []
    for ike_sa in sas:
        children = ike_sa.get("child-sas") if isinstance(ike_sa, Mapping) else None
        for child in (children or {}).values():
            found.append(child.get("old", child))
    return found


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


def add(*counted: Mapping[str, int] | None) -> dict[str, int]:
    """Returns the sums of sets of counters, of which some may be missing."""
    return {name: sum(each[name] for each in counted if each) for name in _COUNTERS}


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
