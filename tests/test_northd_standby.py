"""Which svc-northd is active; nothing is lost, moved or done twice when another takes over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..lib import loop, sb, schema
from ..lib.idl import Session
from ..lib.northd_lock import SOUTHBOUND_LOCK
from ..northd.leader import leadership, pace, watch
from ..northd.northd import Northd
from ..services.ipsec.rows import IPsecConnection
from .cloud import Cloud, make_vpn_cloud
from .logs import Logs
from .ovsdb import Databases, wait_until

ROOT = Path(__file__).resolve().parents[1]
RELIEVED = "the active svc-northd, .* does nothing any more; relieving it"


@pytest.fixture
def cloud(databases: Databases, logs: Logs) -> Iterator[Cloud]:
    made = make_vpn_cloud(databases, logs)
    yield made
    made.northd.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes beats and patience short, so that no test waits for seconds."""
    monkeypatch.setattr(pace, "LEAST_PATIENCE_MS", 700)
    monkeypatch.setattr(watch, "LEAST_PATIENCE_MS", 700)
    monkeypatch.setattr(leadership, "BEAT_INTERVAL_MS", 50)


def _run_until(cloud: Cloud, condition: Callable[[], Any], what: str, *northds: Northd) -> None:
    def stepped() -> Any:
        cloud.step(*northds)
        return condition()

    wait_until(stepped, what)


def _receive(each: Session | Northd, condition: Callable[[], Any], what: str) -> None:
    """Runs one session, or one svc-northd without chassis, until 'condition' holds."""

    def received() -> Any:
        each.run()
        return condition()

    wait_until(received, what)


def _start_two(cloud: Cloud) -> tuple[Northd, Northd]:
    """Returns the active svc-northd and one that stands by."""
    cloud.settle()
    second = cloud.start_northd()
    _run_until(cloud, lambda: second.leadership.standing_by, "it to stand by", cloud.northd, second)
    cloud.settle(cloud.northd, second)
    return cloud.northd, second


def _close(cloud: Cloud, *northds: Northd) -> None:
    """Closes all but 'cloud.northd', which must find everything as it should be."""
    for northd in northds:
        northd.close()
    cloud.laws()


@pytest.mark.usefixtures("quick")
def test_one_that_takes_over_changes_nothing(cloud: Cloud, logs: Logs) -> None:
    logs.allow(RELIEVED)
    first, second = _start_two(cloud)
    before = cloud.dump(counts=False)
    _run_until(cloud, lambda: second.active, "the second to take over", second)
    assert first.active, "it has not looked yet"
    cloud.settle(second)
    assert cloud.dump(counts=False) == before
    cloud.settle(first, second)
    assert (first.active, second.active) == (False, True)
    assert cloud.dump(counts=False) == before
    assert not first.nb.has_lock
    assert not first.ovn.has_lock
    cloud.northd = second
    _close(cloud, first)


@pytest.mark.usefixtures("quick")
def test_one_that_was_stopped_in_the_middle_of_a_pass_writes_nothing(
    cloud: Cloud, logs: Logs
) -> None:
    logs.allow(RELIEVED)
    first, second = _start_two(cloud)
    vpn = cloud.find(cloud.nb, "VPN_Service")["_uuid"][1]
    cloud.add_connection(vpn, "to-mars", peer_address="1.0.0.4", peer_subnets="192.168.3.0/24")
    _receive(first.nb, lambda: len(first.nb.rows(IPsecConnection)) == 2, "the connection")
    _run_until(cloud, lambda: second.active, "the second to take over", second)
    cloud.settle(second)
    before = cloud.dump()
    assert first.active, "it has not looked yet"
    first._compute()
    first.writers.run(loop.monotonic_ms())
    assert [session.committing for session in first.sessions.values()] == [True, True, True]
    cloud.settle(first, second)
    assert cloud.dump() == before
    cloud.northd = second
    _close(cloud, first)


@pytest.mark.usefixtures("quick")
def test_of_two_that_wait_one_takes_over_and_keeps_it(cloud: Cloud, logs: Logs) -> None:
    logs.allow(RELIEVED)
    first, *waiting = (*_start_two(cloud), cloud.start_northd())
    cloud.settle(first, *waiting)
    before = cloud.dump(counts=False)
    _run_until(cloud, lambda: _find_active(waiting), "one of two to take over", *waiting)
    cloud.settle(*waiting)
    [leader] = _find_active(waiting)
    row = cloud.find(cloud.sb, "Northd")
    assert row["incarnation"] == leader.leadership.incarnation
    most = row["heartbeat"] + 40
    _run_until(
        cloud,
        lambda: cloud.find(cloud.sb, "Northd")["heartbeat"] > most,
        "more beats than the patience is long",
        *waiting,
    )
    assert _find_active(waiting) == [leader]
    assert cloud.find(cloud.sb, "Northd")["since"] == row["since"], "it was not relieved meanwhile"
    thefts = [text for _, _, text in logs.messages if "relieving" in text]
    assert len(thefts) <= 2
    assert cloud.dump(counts=False) == before
    cloud.northd = leader
    _close(cloud, first, *(each for each in waiting if each is not leader))


def _find_active(northds: list[Northd]) -> list[Northd]:
    return [northd for northd in northds if northd.active]


@pytest.mark.usefixtures("quick")
def test_one_that_hangs_after_its_first_beat_is_relieved(cloud: Cloud, logs: Logs) -> None:
    logs.allow(RELIEVED)
    cloud.northd.close()
    cloud.sb.update("Northd", [], incarnation="hung", heartbeat=1)
    hung = Session(
        cloud.sb.remote,
        schema.SOUTHBOUND,
        [sb.Northd],
        lock=SOUTHBOUND_LOCK,
        schema=schema.load(schema.SOUTHBOUND),
    )
    _receive(hung, lambda: hung.has_lock, "the lock")
    cloud.northd = cloud.start_northd()
    cloud.settle()
    assert cloud.northd.leadership.incarnation == cloud.find(cloud.sb, "Northd")["incarnation"]
    _close(cloud)
    hung.close()


@pytest.mark.usefixtures("quick")
def test_one_that_is_paused_gives_way_and_relieves_nobody(cloud: Cloud, logs: Logs) -> None:
    first, second = _start_two(cloud)
    place = cloud.find(cloud.sb, "Container_Binding")["chassis"]
    vpn = cloud.find(cloud.nb, "VPN_Service")["_uuid"][1]
    cloud.add_connection(vpn, "to-mars", peer_subnets="192.168.3.0/24")
    # In the middle of a transaction, which may still go through.
    _receive(first, lambda: first.ovn.committing, "a transaction")
    first.set_paused(True)
    assert not first.active
    _run_until(cloud, lambda: second.active, "the second to be active", first, second)
    cloud.settle(first, second)
    assert cloud.find(cloud.sb, "Container_Binding")["chassis"] == place
    # The second hangs; a paused one leaves it at that.
    row = cloud.find(cloud.sb, "Northd")
    end = time.monotonic() + 1
    _run_until(cloud, lambda: time.monotonic() > end, "more than the patience", first)
    assert cloud.find(cloud.sb, "Northd") == row
    assert logs.find_warnings() == []
    logs.allow(RELIEVED)
    first.set_paused(False)
    _run_until(cloud, lambda: first.active, "the first to take part again", first)
    _close(cloud, second)


@pytest.mark.usefixtures("quick")
def test_one_that_takes_over_during_a_failover_knows_who_is_dead(cloud: Cloud, logs: Logs) -> None:
    logs.allow(RELIEVED)
    logs.allow("chassis hv. is dead: its heartbeat stopped")
    times = [["heartbeat-interval", "250"], ["chassis-dead-after", "500"]]
    cloud.nb.insert("SVC_Global", options=["map", times])
    first, second = _start_two(cloud)
    place = cloud.find(cloud.sb, "Container_Binding", role="active")["chassis"]
    cloud.chassis[place].alive = False

    def see_death() -> bool:
        # The first beats and does nothing else.
        for session in first.sessions.values():
            session.run()
        first.leadership.run(paused=False)
        return not second.liveness.verdicts[place].alive

    _run_until(cloud, see_death, "the death to be seen", second)
    assert not second.active
    _run_until(cloud, lambda: second.active, "the second to take over", second)
    _run_until(
        cloud,
        lambda: cloud.find(cloud.sb, "Container_Binding", role="active")["chassis"] != place,
        "the container to be moved",
        second,
    )
    alive = {name: verdict.alive for name, verdict in second.liveness.verdicts.items()}
    assert alive == {name: name != place for name in cloud.chassis}
    cloud.northd = second
    _close(cloud, first)


def test_a_beat_computes_and_compares_nothing(cloud: Cloud) -> None:
    cloud.settle()
    engine = cloud.northd.engine
    stats = {name: each.compute for name, each in engine.stats().items()}
    beats = cloud.find(cloud.sb, "Northd")["heartbeat"] + 2

    def beat_twice() -> bool:
        cloud.northd.run()
        assert not any(ledger.dirty for ledger in cloud.northd.writers.ledgers.values())
        return bool(cloud.find(cloud.sb, "Northd")["heartbeat"] >= beats)

    wait_until(beat_twice, "two beats")
    assert {name: each.compute for name, each in engine.stats().items()} == stats
    cloud.laws()


def test_one_that_was_just_started_waits_for_a_lost_chassis_no_longer_than_another(
    cloud: Cloud, logs: Logs
) -> None:
    logs.allow("nothing is written: SVC_Southbound is new")
    times = [["heartbeat-interval", "250"], ["chassis-dead-after", "600"]]
    cloud.nb.insert("SVC_Global", options=["map", times])
    cloud.settle()
    place = cloud.find(cloud.sb, "Container_Binding", role="active")["chassis"]
    cloud.northd.close()
    for table, rows in cloud.sb.dump().items():
        if rows:
            cloud.sb.delete(table)
    names = cloud.chassis.keys() - {place}
    cloud.chassis.clear()
    cloud.add_chassis(*names)
    cloud.northd = cloud.start_northd()
    cloud.wait_for(lambda: cloud.sb.rows("Container_Binding"), "the container to be placed")
    assert cloud.find(cloud.sb, "Container_Binding", role="active")["chassis"] in names
    cloud.laws()
