"""Transactions that the server carries out only while a row is as their guard says."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from ..lib import sb
from ..lib.delta import Change, Insert, Update, Verify
from ..lib.guard import Guard, guard_row
from ..lib.idl import Session
from .logs import Logs
from .ovsdb import Database, Databases
from .sessions import Sessions

ABSENT = Guard("Northd")
_CHASSIS = Insert("Chassis", "hv1", {"name": "hv1"}, None)


def _own(database: Database, incarnation: str) -> tuple[UUID, Guard]:
    """Returns the row Northd, made for 'incarnation', and what its transactions are guarded by."""
    uuid = UUID(database.insert("Northd", incarnation=incarnation, heartbeat=7))
    return uuid, guard_row("Northd", uuid, {"incarnation": incarnation})


def _commit_beside(sessions: Sessions, session: Session, *changes: Change, **options: Any) -> bool:
    session.commit_beside(changes, "a test", **options)
    sessions.wait_for(lambda: not session.committing_beside, "the end of the transaction")
    return bool(session.take_beside())


def _call(sessions: Sessions, session: Session, **options: Any) -> Any:
    operation = {"op": "insert", "table": "Chassis", "row": {"name": "called"}}
    call = session.call([operation], **options)
    assert call is not None
    sessions.wait_for(lambda: call.done, "the answer")
    return call


def test_whatever_is_written_is_written_while_the_guard_holds(
    databases: Databases, sessions: Sessions
) -> None:
    session = sessions.open(databases.sb, sb.Chassis, sb.Northd)
    session.set_guard(_own(databases.sb, "mine")[1])
    sessions.commit(session, _CHASSIS)
    assert session.take_outcome() == ""
    assert _commit_beside(sessions, session, Insert("Chassis", "hv2", {"name": "hv2"}, None))
    call = _call(sessions, session)
    assert [set(each) for each in call.results] == [{"uuid"}], "the guard has no result of its own"
    assert {row["name"] for row in databases.sb.rows("Chassis")} == {"hv1", "hv2", "called"}
    assert not session.guard_broken


@pytest.mark.parametrize("fate", ["another", "gone"])
def test_nothing_is_written_once_it_does_not_and_nothing_is_refused(
    databases: Databases, sessions: Sessions, logs: Logs, fate: str
) -> None:
    session = sessions.open(databases.sb, sb.Chassis, sb.Northd)
    guard = _own(databases.sb, "mine")[1]
    session.set_guard(guard)
    if fate == "gone":
        databases.sb.delete("Northd")
    else:
        databases.sb.update("Northd", [], incarnation="another's")
    sessions.commit(session, _CHASSIS)
    assert (session.take_outcome(), session.guard_broken) == (None, True)
    session.set_guard(guard)
    told = [session.guard_broken]
    assert told == [False], "it is told of a guard since it was set"
    assert not _commit_beside(sessions, session, _CHASSIS)
    assert session.guard_broken
    call = _call(sessions, session)
    assert (call.unguarded, call.lost, call.results) == (True, True, None)
    assert databases.sb.rows("Chassis") == []
    assert logs.find_warnings() == []
    # It is the guard and nothing else that kept them.
    session.set_guard()
    sessions.commit(session, _CHASSIS)
    assert session.take_outcome() == ""


def test_who_does_not_know_yet_writes_nothing(databases: Databases, sessions: Sessions) -> None:
    session = sessions.open(databases.sb, sb.Chassis, sb.Northd)
    uuid, guard = _own(databases.sb, "mine")
    session.set_guard(guard)
    sessions.wait_for(lambda: uuid in session.rows(sb.Northd), "the row")
    databases.sb.update("Northd", [], incarnation="another's")
    assert session.rows(sb.Northd)[uuid].incarnation == "mine", "it has not looked yet"
    sessions.commit(session, _CHASSIS)
    assert session.guard_broken
    assert databases.sb.rows("Chassis") == []


def test_of_two_that_take_a_row_over_one_does(databases: Databases, sessions: Sessions) -> None:
    uuid, _ = _own(databases.sb, "silent")
    both = [sessions.open(databases.sb, sb.Northd) for _ in range(2)]
    silent = [guard_row("Northd", uuid, {"incarnation": "silent", "heartbeat": 7})]
    for number, session in enumerate(both):
        session.set_guard(guard_row("Northd", uuid, {"incarnation": f"number {number}"}))
        take = Update("Northd", uuid, {"incarnation": f"number {number}", "heartbeat": 8})
        session.commit_beside([take], "a test", silent)
    sessions.wait_for(lambda: not any(each.committing_beside for each in both), "both ends")
    took = [session.take_beside() for session in both]
    assert sorted(map(str, took)) == ["False", "True"]
    [row] = databases.sb.rows("Northd")
    assert row["incarnation"] == f"number {took.index(True)}"
    assert [session.guard_broken for session in both] == [False, False], "it was another guard"
    # From then on each goes by its own.
    for session in both:
        sessions.commit(session, Update("Northd", uuid, {"pid": 1 + both.index(session)}))
    assert [session.guard_broken for session in both] == [not each for each in took]
    assert databases.sb.rows("Northd")[0]["pid"] == 1 + took.index(True)


def test_a_beat_that_came_meanwhile_keeps_the_row(databases: Databases, sessions: Sessions) -> None:
    uuid, _ = _own(databases.sb, "busy")
    session = sessions.open(databases.sb, sb.Northd)
    silent = [guard_row("Northd", uuid, {"incarnation": "busy", "heartbeat": 7})]
    databases.sb.update("Northd", [], heartbeat=8)
    take = Update("Northd", uuid, {"incarnation": "mine"})
    assert not _commit_beside(sessions, session, take, guard=silent)
    assert databases.sb.rows("Northd")[0]["incarnation"] == "busy"


def test_of_two_that_make_the_first_row_one_does(
    databases: Databases, sessions: Sessions, logs: Logs
) -> None:
    both = [sessions.open(databases.sb, sb.Northd) for _ in range(2)]
    for number, session in enumerate(both):
        make = Insert("Northd", "", {"incarnation": f"number {number}"}, None)
        session.commit_beside([make], "a test", [ABSENT])
    sessions.wait_for(lambda: not any(each.committing_beside for each in both), "both ends")
    assert sorted(str(session.take_beside()) for session in both) == ["False", "True"]
    assert len(databases.sb.rows("Northd")) == 1
    assert logs.find_warnings() == [], "the other one was not refused"


def test_a_row_that_is_not_there_can_be_asked_for_by_what_it_would_be(
    databases: Databases, sessions: Sessions
) -> None:
    session = sessions.open(databases.sb, sb.Chassis)
    databases.sb.insert("Chassis", name="hv2")
    absent = [Guard("Chassis", [["name", "==", "hv1"]])]
    assert _commit_beside(sessions, session, _CHASSIS, guard=absent)
    assert not _commit_beside(
        sessions, session, Insert("Chassis", "x", {"name": "x"}, None), guard=absent
    )
    by_name = [Guard("Chassis", [["name", "==", "hv2"]], {"hostname": ""})]
    assert _call(sessions, session, guard=by_name).results
    assert _call(sessions, session, guard=absent).unguarded


def test_a_lost_race_and_a_refusal_are_told_apart_from_it(
    databases: Databases, sessions: Sessions, logs: Logs
) -> None:
    logs.allow("transaction refused: ")
    session = sessions.open(databases.sb, sb.Chassis, sb.Northd)
    uuid, guard = _own(databases.sb, "mine")
    session.set_guard(guard)
    sessions.wait_for(lambda: uuid in session.rows(sb.Northd), "the row")
    databases.sb.update("Northd", [], pid=3)
    sessions.commit(session, Verify("Northd", uuid, "pid"), _CHASSIS)
    assert (session.take_outcome(), session.guard_broken) == (None, False)
    sessions.commit(session, _CHASSIS)
    assert session.take_outcome() == ""
    sessions.commit(session, Insert("Chassis", "again", {"name": "hv1"}, None))
    assert session.take_outcome()
    assert not session.guard_broken


def test_a_guard_goes_with_a_lock_and_a_lock_may_count_for_nothing(
    databases: Databases, sessions: Sessions
) -> None:
    uuid, guard = _own(databases.sb, "mine")
    holder = sessions.open(databases.sb, sb.Chassis, sb.Northd, lock="a")
    sessions.wait_for(lambda: holder.has_lock, "the lock")
    waiting = sessions.open(databases.sb, sb.Chassis, sb.Northd, lock="a")
    hinted = sessions.open(databases.sb, sb.Chassis, sb.Northd, lock="a", asserts_lock=False)
    sessions.wait_for(lambda: waiting.contended and hinted.contended, "the answers")
    for session in (holder, waiting, hinted):
        session.set_guard(guard)
    written = []
    for number, session in enumerate((holder, waiting, hinted)):
        sessions.commit(session, Insert("Chassis", "", {"name": f"hv{number}"}, None))
        written.append(session.take_outcome())
    assert written == ["", None, ""]
    databases.sb.update("Northd", [["_uuid", "==", ["uuid", str(uuid)]]], incarnation="x")
    sessions.commit(holder, _CHASSIS)
    assert holder.guard_broken
    assert holder.has_lock
