"""Who leads, whoever has the lock of the southbound and whatever the row Northd holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ..lib import sb, schema
from ..lib.idl import Session
from ..lib.northd_lock import SOUTHBOUND_LOCK
from ..northd.commands import is_ready
from ..northd.leader import claim, leadership, pace, watch
from ..northd.northd import Northd
from .cloud import Cloud, make_vpn_cloud
from .logs import Logs
from .ovsdb import Databases, wait_until
from .sessions import OUTAGE

RELIEVED = "the active svc-northd, .* does nothing any more; relieving it"
GONE = "is gone; taking over"
STOLEN = "a client of SVC_Southbound that is no svc-northd took the lock svc_northd"
_PATIENCE_MS = 700


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes beats and patience short, so that no test waits for seconds."""
    for module in (pace, watch):
        monkeypatch.setattr(module, "LEAST_PATIENCE_MS", _PATIENCE_MS)
    monkeypatch.setattr(watch, "FIRST_PATIENCE_MS", 2 * _PATIENCE_MS)
    for module in (leadership, claim):
        monkeypatch.setattr(module, "BEAT_INTERVAL_MS", 50)
    monkeypatch.setattr(watch, "BEAT_INTERVAL_MS", 150)


@pytest.fixture
def cloud(databases: Databases, logs: Logs) -> Iterator[Cloud]:
    made = make_vpn_cloud(databases, logs)
    yield made
    made.northd.close()


class Thief:
    """A client of the southbound that takes the lock of svc-northd."""

    def __init__(self, cloud: Cloud, *, frees: bool) -> None:
        self._frees = frees
        self.thefts = 0
        self._session = Session(
            cloud.sb.remote,
            schema.SOUTHBOUND,
            [sb.Northd],
            schema=schema.load(schema.SOUTHBOUND),
        )

    @property
    def has_lock(self) -> bool:
        return self._session.has_lock

    def step(self) -> bool:
        """Steals the lock if somebody else has it, or else frees it if it is to.

        Returns whether it has it.
        """
        self._session.run()
        if not self._session.has_lock:
            self._session.set_lock(SOUTHBOUND_LOCK)
            self._session.steal_lock()
        elif self._frees:
            self.thefts += 1
            self._session.set_lock(None)
        return self.has_lock

    def close(self) -> None:
        self._session.close()


@pytest.fixture
def thief(cloud: Cloud) -> Iterator[Thief]:
    """One that has the lock for ever."""
    made = Thief(cloud, frees=False)
    yield made
    made.close()


def _run_until(cloud: Cloud, condition: Callable[[], Any], what: str, *northds: Northd) -> None:
    def stepped() -> Any:
        cloud.step(*northds)
        return condition()

    wait_until(stepped, what, 30)


def _start_two(cloud: Cloud) -> tuple[Northd, Northd]:
    """Returns the active svc-northd and one that stands by."""
    cloud.settle()
    second = cloud.start_northd()
    _run_until(cloud, lambda: second.leadership.standing_by, "it to stand by", cloud.northd, second)
    cloud.settle(cloud.northd, second)
    return cloud.northd, second


def _row(cloud: Cloud) -> dict[str, Any]:
    return cloud.find(cloud.sb, "Northd")


def _kill(northd: Northd) -> None:
    """Ends a svc-northd as SIGKILL does."""
    for session in northd.sessions.values():
        session.close()
    northd.ports.close()
    northd.outside.close()


def _change(cloud: Cloud) -> None:
    vpn = cloud.find(cloud.nb, "VPN_Service")["_uuid"][1]
    cloud.add_connection(vpn, "to-mars", peer_address="1.0.0.4", peer_subnets="192.168.3.0/24")


# -- thieves of the lock ------------------------------------------------------


@pytest.mark.parametrize("frees", [True, False])
def test_who_has_the_lock_is_nothing_to_the_active_one(
    cloud: Cloud, logs: Logs, frees: bool
) -> None:
    logs.allow(STOLEN)
    first, second = _start_two(cloud)
    term = _row(cloud)
    thief = Thief(cloud, frees=frees)
    samples: set[tuple[bool, bool]] = set()

    def robbed() -> bool:
        thief.step()
        samples.add((first.active, second.active))
        return thief.thefts >= 20 if frees else thief.has_lock

    _run_until(cloud, robbed, "the thefts", first, second)
    _change(cloud)
    beats = _row(cloud)["heartbeat"] + 3 * _PATIENCE_MS // 50

    def worked() -> bool:
        robbed()
        reroutes = cloud.ovn.rows("Logical_Router_Policy", [["action", "==", "reroute"]])
        return len(reroutes) == 2 and _row(cloud)["heartbeat"] > beats

    _run_until(cloud, worked, "the change, and beats", first, second)
    assert samples == {(True, False)}
    same = ("incarnation", "since")
    assert {each: _row(cloud)[each] for each in same} == {each: term[each] for each in same}
    assert _row(cloud)["problem"].startswith(STOLEN)
    assert logs.count(STOLEN) == 1, "it is told once"
    thief.close()
    second.close()
    cloud.laws()


@pytest.mark.parametrize("fate", ["hangs", "killed"])
def test_one_that_ends_is_followed_though_a_thief_has_the_lock(
    cloud: Cloud, thief: Thief, logs: Logs, fate: str
) -> None:
    logs.allow(RELIEVED)
    logs.allow(STOLEN)
    first, second = _start_two(cloud)

    _run_until(cloud, thief.step, "the theft", first, second)
    before = cloud.dump(counts=False)
    if fate == "killed":
        _kill(first)
    _run_until(cloud, lambda: second.active, "the second to take over", second)
    assert logs.count(GONE) == 0, "it had no lock to tell by"
    assert thief.has_lock
    cloud.settle(second)
    assert cloud.dump(counts=False) == before
    if fate == "hangs":
        cloud.settle(first, second)
        assert (first.active, second.active) == (False, True)
        first.close()
    cloud.northd = second
    cloud.laws()


def test_nobody_need_have_the_lock(cloud: Cloud, thief: Thief) -> None:
    cloud.northd.close()
    wait_until(thief.step, "the theft")
    cloud.northd = cloud.start_northd()
    cloud.settle()
    assert cloud.northd.active
    cloud.laws()


# -- the lock as a hint ---------------------------------------------------------


def test_a_lock_that_the_server_freed_tells_of_one_that_was_killed(
    cloud: Cloud, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without the lock it would be waited for in vain.
    for module in (pace, watch):
        monkeypatch.setattr(module, "LEAST_PATIENCE_MS", 120_000)
        monkeypatch.setattr(module, "LONGEST_PATIENCE_MS", 120_000)
    first, second = _start_two(cloud)
    _run_until(cloud, lambda: first.sb.has_lock, "the lock", first, second)
    _kill(first)
    _run_until(cloud, lambda: second.active, "the second to take over", second)
    assert logs.count(GONE) == 1
    cloud.northd = second
    cloud.laws()


def test_one_that_was_relieved_passes_the_lock_on(cloud: Cloud, logs: Logs) -> None:
    logs.allow(RELIEVED)
    first, second = _start_two(cloud)
    terms = [first.leadership.incarnation]
    _run_until(cloud, lambda: first.sb.has_lock, "the lock", first, second)
    _run_until(cloud, lambda: second.active, "the second to take over", second)
    assert not second.sb.has_lock, "the first has it"
    _run_until(cloud, lambda: second.sb.has_lock, "the lock to be passed on", first, second)
    assert (first.active, second.active) == (False, True)
    _kill(second)
    _run_until(cloud, lambda: first.active, "the first again", first)
    terms.append(first.leadership.incarnation)
    assert terms[0] != terms[1], "what it sent in its first term counts no more"
    cloud.laws()


def test_one_that_ends_in_good_order_gives_the_row_up(cloud: Cloud, logs: Logs) -> None:
    first, second = _start_two(cloud)
    first.close()
    wait_until(lambda: _row(cloud)["incarnation"] == "", "nobody's row")
    _run_until(cloud, lambda: second.active, "the second to take over", second)
    assert logs.count(GONE) == 0, "it did not wait for a beat"
    cloud.northd = second
    cloud.laws()


def test_one_that_comes_back_to_its_own_row_leads_at_once(cloud: Cloud, logs: Logs) -> None:
    logs.allow(OUTAGE)
    cloud.settle()
    cloud.sb.stop()
    _receive(cloud.northd, lambda: not cloud.northd.active, "the outage to be noticed")
    cloud.sb.start()
    _run_until(cloud, lambda: cloud.northd.active, "it to lead again", cloud.northd)
    assert logs.count(GONE) == 0
    cloud.laws()


def _receive(northd: Northd, condition: Callable[[], Any], what: str) -> None:
    def received() -> Any:
        northd.run()
        return condition()

    wait_until(received, what)


# -- a southbound that refuses ------------------------------------------------


def test_one_that_may_not_write_the_row_says_so_and_what_to_do(cloud: Cloud, logs: Logs) -> None:
    logs.allow("transaction refused: permission error")
    logs.allow(OUTAGE)
    cloud.northd.close()
    path = cloud.databases.directory / "role.sock"
    cloud.sb.insert("SB_Global")
    _listen(cloud, f"punix:{path}", role="svc-controller")
    cloud.sb.add_remote("db:SVC_Southbound,SB_Global,connections")
    northd = Northd(
        cloud.nb.remote, f"unix:{path}", cloud.ovn.remote, cloud.ovn_sb_remote, halves=cloud.halves
    )
    _run_until(cloud, lambda: "refuses" in northd.leadership.obstacle, "the refusal", northd)
    said = is_ready(northd)
    assert said.startswith("false: SVC_Southbound refuses the row Northd: permission error: ")
    assert said.endswith("; svc-northd needs a remote without a role")
    assert cloud.sb.rows("Northd") == []
    assert logs.count("transaction refused") == 1, "it is told once"
    other = cloud.start_northd()
    _run_until(cloud, lambda: other.active, "one that may to lead", northd, other)
    _run_until(cloud, lambda: northd.leadership.standing_by, "it to stand by", northd, other)
    assert is_ready(northd) == "true"
    _listen(cloud, f"punix:{path}")
    other.close()
    _run_until(cloud, lambda: northd.active, "it to lead once it may", northd)
    assert is_ready(northd) == "true"
    northd.close()
    cloud.northd = cloud.start_northd()
    cloud.settle()
    cloud.laws()


def _listen(cloud: Cloud, target: str, **columns: str) -> None:
    """Makes the southbound listen there and nowhere else; who is connected is dropped."""
    cloud.sb.update("SB_Global", [], connections=["set", []])
    made = {"op": "insert", "table": "Connection", "uuid-name": "new"}
    held = {"op": "update", "table": "SB_Global", "where": []}
    cloud.sb.transact(
        {**made, "row": {"target": target, **columns}},
        {**held, "row": {"connections": ["named-uuid", "new"]}},
    )


# -- what the row holds -----------------------------------------------------------


def test_of_two_that_start_at_once_one_leads(cloud: Cloud) -> None:
    cloud.northd.close()
    for table in ("Northd", "SB_Global"):
        cloud.sb.delete(table)
    both = [cloud.start_northd() for _ in range(2)]
    samples: set[int] = set()

    def settled() -> bool:
        samples.add(sum(each.active for each in both))
        return any(each.settled for each in both)

    _run_until(cloud, settled, "one to be active", *both)
    assert samples == {0, 1}
    [row] = cloud.sb.rows("Northd")
    [leader] = [each for each in both if each.active]
    assert row["incarnation"] == leader.leadership.incarnation
    [other] = [each for each in both if each is not leader]
    assert other.leadership.standing_by
    other.close()
    cloud.northd = leader
    cloud.laws()


_CONTENTS: dict[str, dict[str, Any] | None] = {
    "none": None,
    "nobody": {"incarnation": ""},
    "another": {"incarnation": "x", "heartbeat": 2**53 - 1, "patience": 0},
    "patient": {"incarnation": "x" * 100_000, "heartbeat": 0, "patience": 2**31 - 1},
    "odd": {"incarnation": "\n\u2028 '\"", "hostname": "\n", "since": 0, "worked_at": 0},
}


@pytest.mark.parametrize("content", _CONTENTS)
def test_whatever_the_row_holds_one_leads(cloud: Cloud, logs: Logs, content: str) -> None:
    logs.allow(RELIEVED)
    first, second = _start_two(cloud)
    _run_until(cloud, lambda: first.sb.has_lock, "the lock", first, second)
    before, term = cloud.dump(counts=False), _row(cloud)["incarnation"]
    columns = _CONTENTS[content]
    if columns is None:
        cloud.sb.delete("Northd")
    else:
        cloud.sb.update("Northd", [], **columns)
    samples: set[int] = set()

    def led() -> bool:
        samples.add(sum(each.active for each in (first, second)))
        own = {each.leadership.incarnation for each in (first, second) if each.active}
        return {row["incarnation"] for row in cloud.sb.rows("Northd")} == own

    _run_until(cloud, led, "one to lead", first, second)
    cloud.settle(first, second)
    assert led()
    assert max(samples) == 1
    assert _row(cloud)["incarnation"] != term
    after = cloud.dump(counts=False)
    assert (after["sb"], after["ovn"]["Logical_Router_Policy"]) == (
        before["sb"],
        before["ovn"]["Logical_Router_Policy"],
    )
    cloud.northd, spare = (first, second) if first.active else (second, first)
    spare.close()
    cloud.laws()


def test_a_restored_southbound_has_one_leader(cloud: Cloud, logs: Logs) -> None:
    logs.allow(RELIEVED)
    logs.allow("reconnect|went|lost|older|again")
    first, second = _start_two(cloud)
    backup = cloud.databases.directory / "backup"
    backup.write_bytes(cloud.sb.run_client("backup"))
    first.close()
    _run_until(cloud, lambda: second.settled, "the second to lead", second)
    third = cloud.start_northd()
    _run_until(cloud, lambda: third.leadership.standing_by, "a third to stand by", second, third)
    cloud.sb.run_client("restore", backup)
    former = _row(cloud)["incarnation"]
    samples: set[int] = set()

    def led() -> bool:
        samples.add(sum(each.active for each in (second, third)))
        own = {each.leadership.incarnation for each in (second, third) if each.active}
        return {_row(cloud)["incarnation"]} == own

    _run_until(cloud, led, "one to lead", second, third)
    assert _row(cloud)["incarnation"] != former, "whose it was is not there any more"
    assert max(samples) == 1
    cloud.northd, spare = (second, third) if second.active else (third, second)
    spare.close()
