"""What this chassis writes to the southbound: its rows, and status columns on others'.

'make_changes' compares with the replica, so that nothing is written twice and a
restarted svc-controller writes nothing that is true already.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from ..lib import sb
from ..lib.delta import Actual, Change, Desired, plan
from ..lib.idl import Session
from ..lib.rows import Row
from ..services.api import host
from .desired import Container, Problem, Wanted
from .fence import SENTENCE

Key = Callable[[Any], Hashable]

COMMIT_AGAIN_MS = 1000

KEYS: dict[type[Row], Key] = {
    sb.Chassis: lambda row: row.name,
    sb.ChassisPrivate: lambda row: row.name,
    sb.ContainerBinding: lambda row: row.container,
    sb.PortBinding: lambda row: row.logical_port,
}


@dataclass(frozen=True, slots=True)
class ContainerItem(sb.ContainerItem):
    """The row with its counters, which only the chassis reads."""

    TABLE: ClassVar[str] = sb.ContainerItem.TABLE
    counters: dict[str, int]


# Tables of which this chassis makes and deletes rows.
OWNED: dict[type[Row], Key] = {ContainerItem: lambda row: (row.container, row.kind, row.name)}


@dataclass(frozen=True, slots=True)
class Report:
    """How one container is."""

    wanted: Wanted
    failure: str | None
    service: host.Status | None
    installed: bool
    fenced: bool = False


@dataclass(slots=True)
class Gate:
    """Keeps a transaction that the server refuses from being sent over and over."""

    changes: list[Change] = field(default_factory=list)
    again_at_ms: int = 0

    def admit(self, changes: list[Change], now_ms: int) -> bool:
        """Returns whether to send 'changes' now; the same ones only once in a while."""
        if not changes or (changes == self.changes and now_ms < self.again_at_ms):
            return False
        self.changes = changes
        self.again_at_ms = now_ms + COMMIT_AGAIN_MS
        return True


def make_changes(
    session: Session,
    desired: Iterable[Desired],
    owned: Mapping[type[Row], Key],
    unknown: Collection[str],
) -> list[Change]:
    """Returns the changes that bring 'desired'; of 'owned' tables, rows of no use are deleted.

    A row of another's table that is desired but not there any more is left
    out, and rows of the containers in 'unknown' stay as they are.
    """
    keys: dict[type[Row], Key] = {**KEYS, **owned}
    actual = [
        Actual(key(row), row)
        for table, key in keys.items()
        for row in session.rows(table).values()
        if table not in owned or getattr(row, "container", None) not in unknown
    ]
    places = {(each.row.TABLE, each.key): each.row for each in actual}
    mine = {sb.Chassis.TABLE, sb.ChassisPrivate.TABLE} | {each.TABLE for each in owned}
    wanted = [
        _keep_since(row, places.get((row.table, row.key)))
        for row in desired
        if row.table in mine or (row.table, row.key) in places
    ]
    named = {(row.table, row.key) for row in wanted}
    compared = [
        each for each in actual if each.row.TABLE in mine or (each.row.TABLE, each.key) in named
    ]
    return plan(wanted, compared)


def is_known(report: Report, row: sb.ContainerBinding | None) -> bool:
    """Returns whether there is something to tell of a container.

    A service that has just taken over programs does not know yet how they are;
    until it does, what the row says holds.
    """
    if find_error(report) is not None or row is None or row.status_code is None:
        return True
    return report.service is not None and report.service.code != host.UNKNOWN


def make_container_row(report: Report, wall_ms: int) -> Desired:
    """Returns the status columns of a Container_Binding."""
    name, generation = report.wanted.name, report.wanted.generation
    status = report.service
    columns: dict[str, Any] = {
        "status_code": host.STARTING,
        "status_message": "being set up",
        "namespace_name": name,
        "interface_name": name,
        "since": wall_ms,
    }
    sentence = find_error(report)
    if sentence is not None:
        columns |= {"status_code": host.ERROR, "status_message": sentence}
    elif status is not None and status.code != host.UNKNOWN:
        message = SENTENCE if report.fenced else status.message
        columns |= {"status_code": status.code, "status_message": message}
    columns["status_message"] = _add_problem(report, columns["status_message"])
    if status is not None and status.code != host.UNKNOWN:
        columns["reached_generation"] = min(status.reached_generation, generation)
        columns["restarts"] = status.restarts
    return Desired(sb.ContainerBinding.TABLE, name, columns)


def make_item_row(container: str, chassis: str, item: host.Item, wall_ms: int) -> Desired:
    """Returns a Container_Item."""
    columns: dict[str, Any] = {
        "container": container,
        "chassis": chassis,
        "kind": item.kind,
        "name": item.name,
        "subject": item.subject,
        "state": item.state,
        "message": item.message,
        "since": item.since if item.since is not None else wall_ms,
        "detail": dict(item.detail),
        "counters": dict(item.counters),
    }
    return Desired(ContainerItem.TABLE, (container, item.kind, item.name), columns)


def make_port_row(logical_port: str, installed: bool) -> Desired:
    """Returns the status column of a Port_Binding."""
    return Desired(sb.PortBinding.TABLE, logical_port, {"up": installed})


def find_error(report: Report) -> str | None:
    """Returns why a container cannot be as it should be, the service's own problems aside."""
    if isinstance(report.wanted, Problem):
        return report.wanted.sentence
    return report.failure


def is_settled(report: Report) -> bool:
    """Returns whether all that can be applied is applied: reached, or in error with a reason."""
    if find_error(report) is not None:
        return True
    if report.service is None or not isinstance(report.wanted, Container):
        return False
    return report.service.code == host.ERROR or runs_as_wanted(report)


def runs_as_wanted(report: Report) -> bool:
    """Returns whether the container runs with what it is made from, be it of before."""
    status = report.service
    if report.failure is not None or status is None or not isinstance(report.wanted, Container):
        return False
    reached = status.reached_generation >= report.wanted.record.generation
    return reached and status.code == host.RUNNING


def _add_problem(report: Report, message: str) -> str:
    """Returns 'message', and why the container is not as its rows are, if so."""
    if isinstance(report.wanted, Problem) or report.wanted.problem is None:
        return message
    sentence = f"still as configured before: {report.wanted.problem}"
    well = runs_as_wanted(report) and not report.fenced
    return sentence if well else f"{message}; {sentence}"


def _keep_since(desired: Desired, row: Row | None) -> Desired:
    """Returns 'desired' with the 'since' of the row while its state is the same."""
    since = getattr(row, "since", None)
    if since is None or "since" not in desired.columns:
        return desired
    same = all(
        getattr(row, column) == desired.columns[column]
        for column in ("state", "status_code")
        if column in desired.columns
    )
    return replace(desired, columns={**desired.columns, "since": since}) if same else desired
