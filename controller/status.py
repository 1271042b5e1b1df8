"""What this chassis writes of a container to the southbound: status columns and its items. Pure.

Every row is compared with what stands there, so that nothing is written twice
and a restarted svc-controller writes nothing that is true already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..lib import sb
from ..lib.container import KEPT
from ..lib.delta import Actual, Change, Desired, Update, plan
from ..lib.rows import Row
from ..services.api import host
from ..services.api.item import Item
from .fence import SENTENCE
from .host.bindings import ContainerBinding, ContainerItem
from .host.desired import Container, Problem, Wanted
from .host.kinds import name_outside
from .programs.told import LONGEST_NAME, LONGEST_TEXT, Told, clean

METRICS_INTERVAL_MS = 5000
_METRICS_SHARE = 0.05
# Columns of which an update does not hold up the acknowledgement of a change.
_FIGURES = {"metrics", "counters"}


@dataclass(frozen=True, slots=True)
class Report:
    """How one container is.

    'installed' is by the name of each port outside whether OVN has installed it;
    'incarnation' is that of the svc-controller that tells it.
    """

    wanted: Wanted
    failure: str | None
    told: Told
    installed: Mapping[str, bool] = field(default_factory=dict)
    fenced: bool = False
    incarnation: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one container in the southbound."""

    binding: ContainerBinding | None
    ports: Sequence[sb.PortBinding] = ()
    items: Sequence[ContainerItem] = ()


def make_changes(report: Report | None, rows: Rows, wall_ms: int, figures: bool) -> list[Change]:
    """Returns the changes that make 'rows' say what is reported.

    Without a report nothing is known of the container on this chassis.
    'figures' is whether metrics may be written by now.
    """
    if report is not None and not is_known(report, rows.binding):
        return []
    desired = [] if report is None else _make_item_rows(report, rows, wall_ms)
    desired.extend(_make_port_rows(report, rows))
    actual = [Actual((row.kind, row.name), row) for row in rows.items]
    actual.extend(Actual(row.logical_port, row) for row in rows.ports)
    if report is not None and rows.binding is not None:
        row = make_container_row(report, wall_ms)
        if figures and differ(rows.binding.metrics, report.told.metrics):
            row = replace(row, columns={**row.columns, "metrics": dict(report.told.metrics)})
        desired.append(_keep_since(row, rows.binding))
        actual.append(Actual(rows.binding.container, rows.binding))
    return plan(desired, actual)


def is_of_figures(changes: Sequence[Change]) -> bool:
    """Returns whether 'changes' are of nothing but metrics and counters."""
    return all(isinstance(each, Update) and each.columns.keys() <= _FIGURES for each in changes)


def differ(before: Mapping[str, float], after: Mapping[str, float]) -> bool:
    """Returns whether metrics are others by more than a twentieth of a value."""
    if before.keys() != after.keys():
        return True
    pairs = ((before[name], value) for name, value in after.items())
    return any(abs(new - old) > _METRICS_SHARE * abs(old) for old, new in pairs)


def is_known(report: Report, row: sb.ContainerBinding | None) -> bool:
    """Returns whether there is something to tell of a container.

    A service that has just taken over programs does not know yet how they are;
    until it does, what the row says holds.
    """
    if find_error(report) is not None or row is None or row.status_code is None:
        return True
    return report.told.status is not None and report.told.status.code != host.UNKNOWN


def make_container_row(report: Report, wall_ms: int) -> Desired:
    """Returns the status columns of a Container_Binding, but its metrics."""
    name, generation = report.wanted.name, report.wanted.generation
    status = report.told.status
    columns: dict[str, Any] = {
        "status_code": host.STARTING,
        "status_message": "being set up",
        "namespace_name": clean(name, LONGEST_NAME),
        "interface_name": clean(name, LONGEST_NAME),
        "since": wall_ms,
        "incarnation": report.incarnation,
    }
    sentence = find_error(report)
    if sentence is not None:
        columns |= {"status_code": host.ERROR, "status_message": sentence}
    elif status is not None and status.code != host.UNKNOWN:
        message = SENTENCE if report.fenced else status.message
        columns |= {"status_code": status.code, "status_message": message}
    columns["status_message"] = _add_problems(report, columns["status_message"])
    if status is not None and status.code != host.UNKNOWN:
        columns["reached_generation"] = min(status.reached_generation, generation)
        columns["restarts"] = status.restarts
    return Desired(sb.ContainerBinding.TABLE, name, columns)


def find_error(report: Report) -> str | None:
    """Returns why a container cannot be as it should be, the service's own problems aside."""
    if isinstance(report.wanted, Problem):
        return report.wanted.sentence
    return report.failure or report.told.failure


def is_settled(report: Report) -> bool:
    """Returns whether all that can be applied is applied: reached, or in error with a reason."""
    if find_error(report) is not None:
        return True
    status = report.told.status
    if status is None or not isinstance(report.wanted, Container):
        return False
    return status.code == host.ERROR or runs_as_wanted(report)


def runs_as_wanted(report: Report) -> bool:
    """Returns whether the container runs with what it is made from, be it of before."""
    status = report.told.status
    if find_error(report) is not None or status is None:
        return False
    assert isinstance(report.wanted, Container)
    reached = status.reached_generation >= report.wanted.record.generation
    return reached and status.code == host.RUNNING


# -- helpers -----------------------------------------------------------------


def _make_port_rows(report: Report | None, rows: Rows) -> list[Desired]:
    installed = report.installed if report is not None else {}
    return [
        Desired(
            sb.PortBinding.TABLE,
            row.logical_port,
            {"up": installed.get(name_outside(row.container, row.interface), False)},
        )
        for row in rows.ports
    ]


def _make_item_rows(report: Report, rows: Rows, wall_ms: int) -> list[Desired]:
    if rows.binding is None:
        return []
    container, chassis = rows.binding.container, rows.binding.chassis
    present = {(row.kind, row.name): row for row in rows.items}
    return [
        _make_item_row(container, chassis, each, present.get((each.kind, each.name)), wall_ms)
        for each in report.told.items
    ]


def _make_item_row(
    container: str, chassis: str, item: Item, row: ContainerItem | None, wall_ms: int
) -> Desired:
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
    desired = Desired(sb.ContainerItem.TABLE, (item.kind, item.name), columns)
    return desired if item.since is not None else _keep_since(desired, row)


def _add_problems(report: Report, message: str) -> str:
    """Returns 'message', and what else is wrong: what is not told, what is not as the rows are."""
    if isinstance(report.wanted, Problem):
        return clean(message, LONGEST_TEXT)
    problems = "; ".join(report.told.problems)
    if report.wanted.problem is not None:
        kept = f"{KEPT}: {report.wanted.problem}"
        well = runs_as_wanted(report) and not report.fenced
        message = kept if well else f"{message}; {kept}"
    return clean("; ".join(filter(None, (message, problems))), 4 * LONGEST_TEXT)


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
