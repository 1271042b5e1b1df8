"""What the southbound knows of a VPN: where its container is, and how its tunnels are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ....lib.moment import format_past
from ...api.commands import Datum, Run

Columns = Mapping[str, Datum]
"""A row of the southbound."""

_DETAILS = (
    ("subnets", "{local_subnets} with {peer_subnets}"),
    ("left out", "{left_out}"),
    ("IKE", "{ike_algorithms}"),
    ("IKE opened by", "{opened_by}"),
    ("IKE made anew by", "{ike_rekeyed_at}"),
    ("ESP", "{esp_algorithms}"),
    ("ESP made anew by", "{esp_rekeyed_at}"),
    ("ESP ends at", "{esp_ends_at}"),
    ("encapsulation", "{encapsulation}"),
    ("behind NAT", "{nat}"),
)
_COUNTERS = ("bytes_in", "packets_in", "bytes_out", "packets_out")
_TUNNEL, _CHILD_SA = "tunnel", "child_sa"
_KEY = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Reported:
    """What chassis report of one container; 'problem' is why it is not known, "" if it is.

    'lost' says since when the chassis has not been heard, "" for one that is alive.
    """

    chassis: str = ""
    lost: str = ""
    standbys: tuple[str, ...] = ()
    items: Sequence[Columns] = ()
    problem: str = ""

    def describe_tunnel(self, connection: str, now_ms: int) -> list[str]:
        """Returns lines on the tunnel of a connection, and on its child SAs if it has several."""
        if self.problem:
            return [f"tunnel: not known, since {self.problem}"]
        tunnel = self._find(_TUNNEL, connection)
        if not tunnel:
            who = f"chassis {self.chassis} has not reported on it yet"
            return [f"tunnel: {who if self.chassis else 'no container runs'}"]
        old = f" (the last word of chassis {self.chassis}, {self.lost})" if self.lost else ""
        lines = [f"tunnel{old}", *indent(_list_facts(tunnel[0], now_ms))]
        for each in self._find(_CHILD_SA, connection):
            lines += indent(["child SA", *indent(_list_facts(each, now_ms))])
        return lines

    def _find(self, kind: str, connection: str) -> list[Columns]:
        """Returns the items of a kind whose names begin with the UUID of a connection."""
        found = [
            each
            for each in self.items
            if get_text(each, "kind") == kind
            and get_text(each, "chassis") == self.chassis
            and get_text(each, "name").startswith(connection)
        ]
        return sorted(found, key=lambda each: (len(get_text(each, "name")), get_text(each, "name")))


def read_reported(run: Run, containers: Sequence[str], now_ms: int) -> Mapping[str, Reported]:
    """Returns what the southbound knows of containers; warns if it cannot be read."""
    tables = ("Container_Binding", "Container_Item")
    found = _ask(run, [(table, "container", name) for table in tables for name in containers])
    if found is None:
        return dict.fromkeys(containers, Reported(problem="the southbound cannot be read"))
    bindings, items = found[: len(containers)], found[len(containers) :]
    active = [_find_places(each, "active") for each in bindings]
    weights = _ask(run, [("Chassis_Weight", "chassis", each[0]) for each in active if each]) or ()
    lost = {get_text(row, "chassis"): _tell_lost(row, now_ms) for rows in weights for row in rows}
    return {
        name: Reported(
            chassis=place[0] if place else "",
            lost=lost.get(place[0], "") if place else "",
            standbys=tuple(_find_places(bindings[number], "standby")),
            items=items[number],
        )
        for number, (name, place) in enumerate(zip(containers, active, strict=True))
    }


def _ask(run: Run, questions: Sequence[tuple[str, str, str]]) -> Sequence[Sequence[Columns]] | None:
    """Returns the rows for each question; None, with a warning, if there is no answer."""
    found = run.read_southbound(*questions) if questions else []
    if not isinstance(found, str):
        return found
    run.warnings.append(f"what only the southbound knows is left out: {found}")
    return None


def _find_places(bindings: Sequence[Columns], role: str) -> list[str]:
    return sorted(get_text(row, "chassis") for row in bindings if get_text(row, "role") == role)


def _tell_lost(weight: Columns, now_ms: int) -> str:
    if True in weight.get("alive", ()):
        return ""
    return f"dead since {format_past(int(get_text(weight, 'since') or 0), now_ms)}"


def get_text(row: Columns, column: str) -> str:
    """Returns the one atom of a column as text, "" if there is none."""
    return next((str(each) for each in row.get(column, ())), "")


def indent(lines: Sequence[str] | Iterator[str]) -> list[str]:
    """Returns lines one step further to the right."""
    return [f"    {line}" for line in lines]


def list_facts(*facts: tuple[str, str]) -> list[str]:
    """Returns a line for each fact that there is."""
    return [f"{name}: {value}" for name, value in facts if value]


def _list_facts(item: Columns, now_ms: int) -> list[str]:
    detail, counters = _read_map(item, "detail"), _read_map(item, "counters")
    since = get_text(item, "since")
    error, at = detail.get("last_error", ""), detail.get("last_error_at", "")
    return list_facts(
        ("state", get_text(item, "state")),
        ("since", format_past(int(since or 0), now_ms)),
        ("reason", get_text(item, "message")),
        *((name, _fill(form, detail)) for name, form in _DETAILS),
        *((name.replace("_", " "), counters.get(name, "")) for name in _COUNTERS),
        ("last error", f"{error} (began at {at})" if error and at else error),
    )


def _fill(form: str, detail: Mapping[str, str]) -> str:
    """Returns 'form' with what it names of a detail, "" if something of that is missing."""
    keys = _KEY.findall(form)
    if not all(detail.get(key) for key in keys):
        return ""
    # A list of subnets has no spaces, and algorithms begin with the protocol, which is told before.
    return _KEY.sub(
        lambda found: ", ".join(each.strip() for each in detail[found[1]].split(",")), form
    ).removeprefix("ESP ")


def _read_map(item: Columns, column: str) -> dict[str, str]:
    value = item.get(column, {})
    return {str(key): str(each) for key, each in value.items()} if isinstance(value, dict) else {}
