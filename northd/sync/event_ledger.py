"""The northbound's ledger: with each change of a status goes the event that it is (events.py)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, TypeGuard
from uuid import UUID

from ...lib import nb
from ...lib.delta import Change, Delete, Insert, Update
from ...lib.rows import Row, find_columns
from ..engine.ledger import Ledger, Owned, Owner
from . import events
from .all_events import AllEvents
from .event_log import EventLog
from .events import News, find_uuid
from .fresh_rows import FreshRows
from .northbound import CHASSIS, CONTAINER, SINCE, find_mark, find_subject

# Of what could not be written yet.
_MOST_WAITING = 10_000
_MOST_OF_ONE = 10
_ERROR = "error"
_ON_THE_WAY = ("starting", "running")
_STATUS = frozenset({"status", "status_message", "status_code"})
# Of a chassis it is not told that it is gone, nor of what no event of ours is about.
_ENDLESS = (CHASSIS, nb.Event.TABLE)


class EventLedger(Ledger):
    """'find_cause' says why a container is on a chassis, 'now_ms' is the wall clock."""

    def __init__(
        self,
        find_cause: Callable[[str, str], str | None],
        now_ms: Callable[[], int],
    ) -> None:
        super().__init__(find_mark)
        self._find_cause = find_cause
        self._now_ms = now_ms
        self._log = EventLog(self.find_served)
        self._waiting: dict[Owner, list[News]] = {}
        # What of it is in the transaction that was planned last.
        self._planned: dict[Owner, tuple[News, ...]] = {}
        self._events = AllEvents()
        # Of the last event whose message was a passing one: its number and message.
        self._passing: dict[Owner, tuple[int, str]] = {}
        self._fresh = FreshRows(now_ms)
        # Whose rows have statuses.
        self._tables: set[str] = set()

    # -- what comes in -----------------------------------------------------

    def note_row(self, before: Row | None, after: Row | None) -> None:
        """Takes the change of a row, None for one that is not there."""
        self._events.note(
            before if isinstance(before, nb.Event) else None,
            after if isinstance(after, nb.Event) else None,
        )
        super().note_row(before, after)
        self._fresh.note(before, after)

    def add_news(self, owner: Owner, news: News) -> None:
        """Has something told of an owner that no column of the northbound says."""
        waiting = self._waiting.get(owner, [])
        if len(self._waiting) < _MOST_WAITING and len(waiting) < _MOST_OF_ONE:
            self._waiting[owner] = [*waiting, news]
            self.dirty.add(owner)

    def begin(self) -> None:
        """Forgets what another svc-northd was to tell, which is active no more."""
        for owner, waiting in list(self._waiting.items()):
            self._drop_news(owner, [each for each in waiting if each.state != events.REMOVED])

    def forget(self, owner: Owner) -> None:
        """Notes that the row of an operator, whose status is kept, is gone."""
        owned = self.find_owned(owner)
        if owned.name and isinstance(owner, tuple):
            table, uuid = owner
            self.add_news(owner, News(table, owned.name, events.REMOVED, row=str(uuid)))
        self._passing.pop(owner, None)
        super().forget(owner)

    def run(self, now_ms: int) -> None:
        """Has it told what stays as it was made; 'now_ms' is monotonic."""
        room = _MOST_WAITING // 2 - len(self._waiting)
        for uuid in self._fresh.take_due(now_ms, room):
            self._tell_first(self.find_row(uuid))

    def note_committed(self, changes: Iterable[Change]) -> None:
        """Tells the events that were written; what waited of their subjects is among them."""
        for change in changes:
            if not isinstance(change, Insert | Update) or change.table != nb.Event.TABLE:
                continue
            columns = dict(change.columns)
            if isinstance(change, Update):
                row = self._events.find(change.uuid)
                if row is None:
                    continue
                columns = {each: getattr(row, each) for each in find_columns(nb.Event)} | columns
            self._log.tell(columns)
            owner = find_subject(columns["table"], columns["row"], columns["name"])
            self._drop_news(owner, self._planned.pop(owner, ()))
        self.drop_planned()

    def find_served(self, container: str) -> str:
        """Returns the names of what a container serves, "" if it is not known."""
        rows = self.find_rows((CONTAINER, container))
        served = [
            each for row in rows if isinstance(row, nb.ServiceContainer) for each in row.serves
        ]
        owners = [(table, find_uuid(each)) for each in served for table in sorted(self._tables)]
        return ", ".join(filter(None, (self.find_owned(owner).name for owner in owners)))

    # -- what goes out -----------------------------------------------------

    def set_owned(self, owner: Owner, owned: Owned | None) -> None:
        """Notes what an owner should have; None for nothing."""
        super().set_owned(owner, owned)
        if owned is None:
            self._passing.pop(owner, None)
        if owned is not None and owned.name and isinstance(owner, tuple):
            self._tables.add(owner[0])

    def drop_planned(self) -> None:
        """Forgets what was planned: it is written by now, or never will be."""
        self._planned.clear()
        self._events.drop_planned()

    def finish(self, owner: Owner, changes: list[Change]) -> list[Change]:
        """Adds since when a status is what it becomes, and the events that the changes are."""
        now_ms = self._now_ms()
        rows = list(self.find_rows(owner))
        known = sorted((row for row in rows if self._is_known(row)), key=_find_number)
        subjects = {row.uuid: row for row in rows if not isinstance(row, nb.Event)}
        told = list(self._waiting.get(owner, ()))
        if told:
            self._planned[owner] = tuple(told)
        for change in changes:
            told += self._find_news(owner, change, subjects, known, now_ms)
        if not any(each.state == events.REMOVED for each in told):
            told += self._find_end(owner, changes, subjects, known)
        finished: list[Change] = [_add_since(each, subjects, now_ms) for each in changes]
        return finished + self._record(owner, told, known, now_ms)

    # -- helpers, in the order they are called -----------------------------

    def _tell_first(self, row: Any) -> None:
        """Has it told how a row is since it was made, unless anything is told of it already."""
        if row is None:
            return
        owner = (row.TABLE, row.uuid)
        owned = self.find_owned(owner)
        known = [each for each in self.find_rows(owner) if self._is_known(each)]
        if owned.name and row.status and events.find_last(known) is None:
            news = News(
                row.TABLE,
                owned.name,
                row.status,
                row.status_message,
                str(row.uuid),
                passing=owned.passing,
            )
            self.add_news(owner, news)

    def _is_known(self, row: Row) -> TypeGuard[nb.Event]:
        return isinstance(row, nb.Event) and not self._events.is_strange(row)

    def _find_news(
        self,
        owner: Any,
        change: Change,
        subjects: Mapping[UUID, Any],
        known: Sequence[nb.Event],
        now_ms: int,
    ) -> Iterator[News]:
        if not isinstance(change, Insert | Update):
            return
        row = subjects.get(change.uuid) if isinstance(change, Update) else None
        if change.table == nb.ServiceContainer.TABLE:
            yield from self._find_container_news(owner[1], change, row, known, now_ms)
        elif row is not None and not _STATUS.isdisjoint(change.columns):
            owned, state = self.find_owned(owner), change.columns.get("status", row.status)
            message = change.columns.get("status_message", row.status_message)
            name, uuid = owned.name, str(row.uuid)
            news = News(row.TABLE, name, state or "", message, uuid, passing=owned.passing)
            if name and _is_news(news, row.status, getattr(row, SINCE, None), known, now_ms):
                yield news

    def _find_container_news(
        self,
        name: str,
        change: Insert | Update,
        row: nb.ServiceContainer | None,
        known: Sequence[nb.Event],
        now_ms: int,
    ) -> Iterator[News]:
        last = events.find_last(known)
        last = last if last is not None and last.state != events.REMOVED else None
        was = row if row is not None else last
        before = was.chassis if was is not None else None
        code = row.status_code if row is not None else None
        since = row.since if row is not None else None
        state = change.columns.get("status_code", code) or ""
        news = News(
            nb.ServiceContainer.TABLE,
            name,
            state,
            change.columns.get("status_message", row.status_message if row is not None else ""),
            chassis=change.columns.get("chassis", before),
            passing=state == _ON_THE_WAY[0] and (state != code or _is_recent(since, now_ms)),
        )
        if news.chassis != before and news.chassis is not None:
            cause = self._find_cause(name, news.chassis) or ""
            yield replace(news, state=events.PLACED, message=cause, from_chassis=before)
        elif news.chassis != before:
            yield replace(news, from_chassis=before)
        elif _STATUS.isdisjoint(change.columns) or self._starts(name, news, known, now_ms):
            return
        elif _is_news(news, code, since, known, now_ms):
            yield news

    def _starts(self, container: str, news: News, known: Sequence[nb.Event], now_ms: int) -> bool:
        """Returns whether a container only starts where it was just placed, or started again."""
        last = events.find_last(known)
        if last is None or last.state not in (events.PLACED, *_ON_THE_WAY):
            return False
        waiting = self._waiting.get((CONTAINER, container), ())
        if any(each.state == events.RESTARTED for each in waiting):
            return news.state in _ON_THE_WAY
        begun = [each.time for each in known if each.state == events.RESTARTED]
        begun += [last.time] if last.state == events.PLACED else []
        recent = any(0 <= now_ms - each < events.SETTLING_MS for each in begun)
        return recent and news.state in _ON_THE_WAY

    def _find_end(
        self,
        owner: Any,
        changes: Iterable[Change],
        subjects: Mapping[UUID, Row],
        known: Sequence[nb.Event],
    ) -> Iterator[News]:
        """Yields that a subject is gone, of which the last event says something else."""
        last = events.find_last(known)
        if last is None or last.state == events.REMOVED or owner[0] in _ENDLESS:
            return
        gone = {each.uuid for each in changes if isinstance(each, Delete)}
        there = any(isinstance(each, Insert) for each in changes) or bool(subjects.keys() - gone)
        if not (there or self.is_wanted(owner) or self.is_frozen(owner)):
            removed = events.REMOVED
            yield News(last.table, last.name, removed, row=last.row, from_chassis=last.chassis)

    def _drop_news(self, owner: Owner, told: Collection[News]) -> None:
        """Forgets what waited of an owner."""
        left = [each for each in self._waiting.get(owner, ()) if each not in told]
        if left:
            self._waiting[owner] = left
        else:
            self._waiting.pop(owner, None)

    def _record(
        self, owner: Owner, told: Iterable[News], known: Sequence[nb.Event], now_ms: int
    ) -> list[Change]:
        changes: dict[Any, Change] = {}
        left = [each for each in known if not self._events.is_going(each)]
        for news in told:
            number = self._events.take_number()
            recorded = events.record(news, left, number, now_ms, self._passing.get(owner))
            if news.passing and recorded:
                self._passing[owner] = _find_passing(recorded[-1], left)
            if not recorded:  # it is known already
                self._drop_news(owner, (news,))
            for each in recorded:
                changes[each.key if isinstance(each, Insert) else each.uuid] = each
        strange = self._find_strange(owner) if told else ()
        changes |= {uuid: Delete(nb.Event.TABLE, uuid, None) for uuid in strange}
        written = list(changes.values())
        return written + self._events.plan(written)

    def _find_strange(self, owner: Owner) -> Iterable[UUID]:
        """Returns some of what somebody else wrote of an owner, as if it were to come yet."""
        rows = (row for row in self.find_rows(owner) if isinstance(row, nb.Event))
        strange = (row.uuid for row in rows if self._events.is_strange(row))
        return islice(strange, events.MOST_DROPPED)


def _find_number(event: nb.Event) -> int:
    return event.number


def _is_news(
    news: News, before: str | None, since: int | None, known: Sequence[nb.Event], now_ms: int
) -> bool:
    """Returns whether it is worth an event how something is that was in the state 'before'.

    What it is when it is made is none, unless it is an error; the first cause of that is
    one, and what it is after a minute (_tell_first()).
    """
    if not news.state:
        return False
    if news.state != before:
        return before is not None or news.state == _ERROR
    last = events.find_last(known)
    if last is not None and last.state == news.state:
        return True
    if last is None and news.row is not None:
        return not news.passing
    return since is None or not _is_recent(since, now_ms)


def _is_recent(since: int | None, now_ms: int) -> bool:
    return since is not None and abs(now_ms - since) < events.SETTLING_MS


def _find_passing(recorded: Change, known: Iterable[nb.Event]) -> tuple[int, str]:
    """Returns number and message of the event that 'recorded' writes."""
    assert isinstance(recorded, Insert | Update)
    columns = recorded.columns
    if isinstance(recorded, Update):
        numbers = {each.uuid: each.number for each in known}
        return columns.get("number", numbers[recorded.uuid]), columns["message"]
    return columns["number"], columns["message"]


def _add_since(change: Change, subjects: Mapping[UUID, Row], now_ms: int) -> Change:
    """Returns 'change' with the time, of a row that says since when its status is what it is."""
    if not isinstance(change, Update) or "status" not in change.columns:
        return change
    if not hasattr(subjects.get(change.uuid), SINCE):
        return change
    return replace(change, columns={**change.columns, SINCE: now_ms})
