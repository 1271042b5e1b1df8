"""SVC_Southbound: whose its rows are, and what follows from a change of bindings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from ...lib import sb
from ...lib.delta import Actual, Change, Delete, Desired, Insert, Update, plan
from ...lib.idl import Session
from ...lib.rows import Row
from ..engine.ledger import Ledger, Mark, Owner
from ..options import Options
from . import history
from .events import News
from .incidents import find_incidents, find_new_key, find_restart

CONTAINER = "container"
REDIRECT = "redirect"
CHASSIS = "chassis"
# Whose the rows are that say what a chassis may write.
ROLES_OWNER = ("roles", "")

_FIRST = {ROLES_OWNER[0]: 0, CONTAINER: 1}
# What a chassis needs a new generation for.
_GENERATION_COLUMNS = frozenset({"service_type", "role", "configuration", "secrets"})
# What the column holds; only whether two are equal counts.
_MOST_GENERATION = 2**53 - 1


def find_mark(row: Row) -> Mark | None:
    """Returns whose a row is; all but those of chassis, and the root, are svc-northd's."""
    match row:
        case sb.PortBinding():
            mark = Mark((CONTAINER, row.container), (row.logical_port, row.chassis))
        case sb.ContainerBinding() | sb.AvoidedChassis():
            mark = Mark((CONTAINER, row.container), (row.container, row.chassis))
        case sb.Placement() | sb.ContainerItem():
            # What is written of them follows from the rest; see finish().
            mark = Mark((CONTAINER, row.container), row.uuid, foreign=True)
        case sb.RedirectFlow():
            mark = Mark((REDIRECT, row.container), row.name, row.subject)
        case sb.ChassisWeight():
            mark = Mark((CHASSIS, row.chassis), row.chassis)
        case sb.RBACRole():
            mark = Mark(ROLES_OWNER, row.name)
        case sb.RBACPermission():
            mark = Mark(ROLES_OWNER, row.table)
        case _:
            return None
    return mark


def rank(owner: Any) -> tuple[int, str, str]:
    """Returns the order in which owners are written: what a chassis may do, what it has to."""
    kind, name = owner
    return _FIRST.get(kind, len(_FIRST)), kind, name


class SouthboundLedger(Ledger):
    """'find_cause' says why a container serves from where it does, 'now_ms' the wall clock.

    'add_news' is called with what the northbound is to tell, of one of its owners.
    """

    def __init__(
        self,
        find_cause: Callable[[str], str | None],
        now_ms: Callable[[], int],
        add_news: Callable[[Owner, News], None] = lambda _owner, _news: None,
    ) -> None:
        super().__init__(find_mark)
        self._find_cause = find_cause
        self._now_ms = now_ms
        self._add_news = add_news

    def note_row(self, before: Row | None, after: Row | None) -> None:
        """Takes the change of a row, and has it told what a chassis has told by that."""
        for news in (find_restart(before, after), find_new_key(before, after)):
            if news is not None:
                self._add_news(*news)
        super().note_row(before, after)

    def finish(self, owner: Owner, changes: list[Change]) -> list[Change]:
        """Adds generations and times, the history of places, and what goes with a binding."""
        if self.is_frozen(owner) or not isinstance(owner, tuple):
            return changes
        rows = list(self.find_rows(owner))
        bindings = {row.uuid: row for row in rows if isinstance(row, sb.ContainerBinding)}
        now_ms = self._now_ms()
        finished: list[Change] = [_finish(change, bindings, now_ms) for change in changes]
        if owner[0] != CONTAINER:
            return finished
        placements = [row for row in rows if isinstance(row, sb.Placement)]
        owned = self.find_owned(owner).rows
        bound = {row.key for row in owned if row.table == sb.ContainerBinding.TABLE}
        if self.is_wanted(owner):
            cause = self._find_cause(owner[1])
            finished += history.record(finished, bindings, placements, cause, now_ms)
        else:
            finished += [Delete(row.TABLE, row.uuid, None) for row in placements]
        return finished + _drop_items(rows, bound)

    def note_committed(self, changes: Iterable[Change]) -> None:
        """Has it told what became of a chassis, and where a container failed."""
        for owner, news in find_incidents(changes, self.find_row):
            self._add_news(owner, news)


def plan_global(
    session: Session, nb_cfg: int, options: Options, now_ms: int, ovn_nb_cfg: int
) -> list[Change]:
    """Returns what to change on the root row, which is made if there is none."""
    columns: dict[str, Any] = {
        "nb_cfg": nb_cfg,
        "ovn_nb_cfg": ovn_nb_cfg,
        "options": {
            "heartbeat-interval": str(options.heartbeat_interval_ms),
            "chassis-dead-after": str(options.chassis_dead_after_ms),
        },
    }
    rows = list(session.rows(sb.SBGlobal).values())
    if not rows or rows[0].nb_cfg != nb_cfg:
        columns["nb_cfg_timestamp"] = now_ms
    return plan([Desired(sb.SBGlobal.TABLE, "", columns)], [Actual("", row) for row in rows])


def _finish(change: Change, bindings: Any, now_ms: int) -> Change:
    """Returns 'change' with the columns that follow from the change itself."""
    if not isinstance(change, Insert | Update):
        return change
    columns: dict[str, Any] = {}
    if change.table == sb.ContainerBinding.TABLE and _GENERATION_COLUMNS & change.columns.keys():
        before = bindings[change.uuid].generation if isinstance(change, Update) else 0
        columns["generation"] = before % _MOST_GENERATION + 1
        if isinstance(change, Insert):
            columns["unwell_since"] = now_ms
    if change.table == sb.ChassisWeight.TABLE and "alive" in change.columns:
        columns["since"] = now_ms
    return replace(change, columns={**change.columns, **columns}) if columns else change


def _drop_items(rows: Iterable[Row], bound: set[Any]) -> list[Change]:
    """Returns deletions of items whose container is not bound there any more.

    The chassis makes and removes its items; this is for one that is gone.
    """
    return [
        Delete(row.TABLE, row.uuid, None)
        for row in rows
        if isinstance(row, sb.ContainerItem) and (row.container, row.chassis) not in bound
    ]
