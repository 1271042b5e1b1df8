"""Locks, probes and conditions of a session, on real ovsdb-servers."""

from __future__ import annotations

from typing import Any

from ..lib import sb
from ..lib.delta import Insert
from ..lib.idl import Session
from .logs import Logs
from .ovsdb import Databases
from .sessions import OUTAGE, Sessions


def _names(session: Session, row_class: Any) -> list[str]:
    return sorted(row.name for row in session.rows(row_class).values())


def test_conditions_and_lock_survive_an_outage(
    databases: Databases, sessions: Sessions, logs: Logs
) -> None:
    logs.allow(OUTAGE)
    for name in ("hv1", "hv2"):
        databases.sb.insert("Chassis", name=name)
    own = {"Chassis": [["name", "==", "hv1"]]}
    session = sessions.open(databases.sb, sb.Chassis, conditions=own, lock="svc_northd")
    sessions.wait_for(lambda: session.has_lock, "the lock")
    databases.sb.stop()
    databases.sb.start()
    sessions.wait_for(lambda: not session.connected, "the end of the connection")
    sessions.wait_for(lambda: session.connected and session.synced, "the reconnection")
    sessions.wait_for(lambda: session.has_lock, "the lock again")
    assert _names(session, sb.Chassis) == ["hv1"]


# -- the lock --------------------------------------------------------------


def test_the_lock_has_one_holder_at_a_time(databases: Databases, sessions: Sessions) -> None:
    first = sessions.open(databases.sb, sb.SBGlobal, lock="svc_northd")
    sessions.wait_for(lambda: first.has_lock, "the lock")
    second = sessions.open(databases.sb, sb.SBGlobal, lock="svc_northd")
    sessions.wait_for(lambda: second.contended, "the answer")
    assert (first.has_lock, second.has_lock) == (True, False)
    first.set_lock(None)
    sessions.wait_for(lambda: second.has_lock, "the lock to pass on")
    assert (first.has_lock, second.has_lock) == (False, True)
    sessions.opened.remove(second)
    second.close()
    first.set_lock("svc_northd")
    sessions.wait_for(lambda: first.has_lock, "the lock to come back")


def test_a_stolen_lock_is_the_thiefs_until_it_goes(
    databases: Databases, sessions: Sessions
) -> None:
    first = sessions.open(databases.sb, sb.Chassis, lock="svc_northd")
    sessions.wait_for(lambda: first.has_lock, "the lock")
    second = sessions.open(databases.sb, sb.Chassis, lock="svc_northd")
    sessions.wait_for(lambda: second.contended, "the answer")
    second.steal_lock()
    sessions.wait_for(lambda: second.has_lock and first.contended, "the theft")
    assert (first.has_lock, second.contended) == (False, False)
    sessions.commit(first, Insert("Chassis", "hv1", {"name": "hv1"}, None))
    assert databases.sb.rows("Chassis") == []
    sessions.commit(second, Insert("Chassis", "hv2", {"name": "hv2"}, None))
    assert len(databases.sb.rows("Chassis")) == 1
    sessions.opened.remove(second)
    second.close()
    sessions.wait_for(lambda: first.has_lock, "the lock to come back to its victim")


def test_a_thief_that_is_robbed_waits_as_anybody(databases: Databases, sessions: Sessions) -> None:
    first = sessions.open(databases.sb, sb.Chassis, lock="svc_northd")
    sessions.wait_for(lambda: first.has_lock, "the lock")
    second = sessions.open(databases.sb, sb.Chassis, lock="svc_northd")
    sessions.wait_for(lambda: second.contended, "the answer")
    for thief, victim in ((second, first), (first, second)) * 2:
        thief.steal_lock()
        sessions.wait_for(lambda: thief.has_lock and victim.contended, "the theft")  # noqa: B023
    sessions.opened.remove(first)
    first.close()
    sessions.wait_for(lambda: second.has_lock, "the lock to pass on")


def test_a_victim_that_does_not_know_yet_writes_nothing(
    databases: Databases, sessions: Sessions
) -> None:
    first = sessions.open(databases.sb, sb.Chassis, lock="svc_northd")
    sessions.wait_for(lambda: first.has_lock, "the lock")
    sessions.opened.remove(first)
    second = sessions.open(databases.sb, sb.Chassis, lock="svc_northd")
    sessions.wait_for(lambda: second.contended, "the answer")
    second.steal_lock()
    sessions.wait_for(lambda: second.has_lock, "the theft")
    assert first.has_lock, "it has not looked yet"
    first.commit([Insert("Chassis", "hv1", {"name": "hv1"}, None)], "a test")
    sessions.opened.append(first)
    sessions.wait_for(lambda: not first.committing and first.contended, "the refusal")
    assert databases.sb.rows("Chassis") == []


def test_a_lock_that_nobody_holds_can_be_stolen_too(
    databases: Databases, sessions: Sessions
) -> None:
    session = sessions.open(databases.sb, sb.Chassis)
    session.steal_lock()
    assert not session.has_lock, "no lock was asked for"
    session.set_lock("svc_northd")
    session.steal_lock()
    sessions.wait_for(lambda: session.has_lock, "the lock")
    session.steal_lock()
    assert session.has_lock, "it has it already"


def test_a_lock_is_given_back_once_the_transaction_under_way_has_ended(
    databases: Databases, sessions: Sessions
) -> None:
    session = sessions.open(databases.sb, sb.Chassis, lock="svc_northd")
    sessions.wait_for(lambda: session.has_lock, "the lock")
    session.commit([Insert("Chassis", "hv1", {"name": "hv1"}, None)], "a test")
    session.set_lock(None)
    assert not session.has_lock
    other = sessions.open(databases.sb, sb.Chassis, lock="svc_northd")
    sessions.wait_for(lambda: other.has_lock, "the lock to pass on")
    assert len(databases.sb.rows("Chassis")) == 1


# -- probes and conditions --------------------------------------------------


def test_an_answer_comes_after_what_happened_before_the_question(
    databases: Databases, sessions: Sessions
) -> None:
    session = sessions.open(databases.sb, sb.Chassis)
    assert session.answered
    for number in range(200):
        databases.sb.insert("Chassis", name=f"hv{number}")
    session.probe()
    assert (session.answered, session.synced) == (False, True)
    sessions.wait_for(lambda: session.answered, "the answer")
    assert len(session.rows(sb.Chassis)) == 200


def test_each_probe_has_an_answer_of_its_own(databases: Databases, sessions: Sessions) -> None:
    session = sessions.open(databases.sb, sb.Chassis)
    first = session.probe()
    assert first is not None
    assert not session.has_answered(first)
    sessions.wait_for(lambda: session.has_answered(first), "the first answer")
    second = session.probe()
    assert second is not None
    assert (session.has_answered(first), session.has_answered(second)) == (True, False)
    sessions.wait_for(lambda: session.has_answered(second), "the second answer")


def test_the_answer_to_a_probe_is_none_on_a_condition(
    databases: Databases, sessions: Sessions
) -> None:
    databases.sb.insert("Chassis", name="hv1")
    session = sessions.open(databases.sb, sb.Chassis, conditions={"Chassis": [False]})
    session.probe()
    # It is sent before the probe is answered, and answered after it.
    session.set_condition("Chassis", [["name", "==", "hv1"]])
    sessions.wait_for(lambda: session.conditioned, "the other rows")
    assert _names(session, sb.Chassis) == ["hv1"]


def test_a_probe_that_was_lost_with_the_connection_is_no_longer_waited_for(
    databases: Databases, sessions: Sessions, logs: Logs
) -> None:
    logs.allow(OUTAGE)
    session = sessions.open(databases.sb, sb.Chassis)
    databases.sb.pause()
    question = session.probe()
    databases.sb.stop()
    sessions.wait_for(lambda: not session.connected, "the end of the connection")
    assert question is not None
    assert session.probe() is None
    databases.sb.start()
    sessions.wait_for(lambda: session.connected and session.synced, "another connection")
    assert session.has_answered(question)
    assert session.answered


def test_rows_are_taken_as_they_were_and_as_they_are(
    databases: Databases, sessions: Sessions
) -> None:
    databases.sb.insert("Chassis", name="hv1")
    session = sessions.open(databases.sb, sb.Chassis)

    def take() -> list[tuple[str | None, str | None]]:
        session.probe()
        sessions.wait_for(lambda: session.answered, "the answer")
        return sorted(
            (old.name if old else "", new.name if new else "")
            for old, new in session.take_rows(sb.Chassis)
        )

    assert take() == [("", "hv1")]
    assert take() == []
    databases.sb.insert("Chassis", name="hv2")
    assert take() == [("", "hv2")]
    databases.sb.update("Chassis", [["name", "==", "hv1"]], hostname="a")
    databases.sb.update("Chassis", [["name", "==", "hv1"]], hostname="b")
    databases.sb.delete("Chassis", [["name", "==", "hv2"]])
    databases.sb.insert("Chassis", name="hv3")
    databases.sb.delete("Chassis", [["name", "==", "hv3"]])
    assert take() == [("hv1", "hv1"), ("hv2", "")], "and of one that came and went, nothing"


def test_a_condition_can_be_changed_later(databases: Databases, sessions: Sessions) -> None:
    for name in ("hv1", "hv2", "hv3"):
        databases.sb.insert("Chassis", name=name)
    session = sessions.open(databases.sb, sb.Chassis, conditions={"Chassis": [False]})
    assert session.conditioned
    assert _names(session, sb.Chassis) == []
    session.take_changed_rows()
    for wanted in (["hv1", "hv2"], ["hv2", "hv3"], []):
        session.set_condition("Chassis", [["name", "==", name] for name in wanted])
        assert (session.conditioned, session.synced) == (False, True), "not those rows yet"
        sessions.wait_for(lambda: session.conditioned, "the other rows")
        assert _names(session, sb.Chassis) == wanted
        assert set(session.take_changed_rows()) == {"Chassis"}
    session.set_condition("Chassis", [])
    assert session.conditioned, "it is the condition already"


def test_a_condition_that_changes_during_an_outage_counts_after_it(
    databases: Databases, sessions: Sessions, logs: Logs
) -> None:
    logs.allow(OUTAGE)
    for name in ("hv1", "hv2"):
        databases.sb.insert("Chassis", name=name)
    first = {"Chassis": [["name", "==", "hv1"]]}
    session = sessions.open(databases.sb, sb.Chassis, conditions=first)
    databases.sb.stop()
    sessions.wait_for(lambda: not session.connected, "the end of the connection")
    session.set_condition("Chassis", [["name", "==", "hv2"]])
    assert _names(session, sb.Chassis) == ["hv1"], "what was last known stays"
    databases.sb.start()
    sessions.wait_for(lambda: session.connected and session.conditioned, "the other rows")
    assert _names(session, sb.Chassis) == ["hv2"]
