"""A log gets no flood, whatever happens how often."""

from __future__ import annotations

from typing import Any

import pytest

from ..lib import log_budget
from ..lib.log_budget import LogBudget, SummedLog
from ..northd.sync.event_log import EventLog
from ..services.ipsec.host import tunnel
from .logs import Logs
from .test_ipsec_tunnels import Watched

EVENT: dict[str, Any] = {
    **{"table": "VPN_Service", "name": "mercury", "state": "up", "message": "", "count": 1},
    **{"chassis": None, "from_chassis": None},
}


def test_so_many_at_once_and_then_some_in_each_second() -> None:
    budget = LogBudget(burst=3, per_s=2)
    assert [budget.take(0) for _ in range(5)] == [True, True, True, False, False]
    assert [budget.take(1000) for _ in range(3)] == [True, True, False]
    assert [budget.take(1_000_000) for _ in range(4)] == [True, True, True, False]


def test_a_first_start_of_very_many_services_is_summed_up(logs: Logs) -> None:
    log = EventLog(lambda _name: "")
    for number in range(20_000):
        log.tell({**EVENT, "name": f"vpn{number}"})
    log.tell({**EVENT, "state": "error"})
    log_budget.run(0)
    log_budget.run(1)
    lines = [text for _, module, text in logs.messages if module == "events"]
    assert 500 <= len(lines) < 1000
    assert lines[0] == "VPN_Service vpn0: up"
    last = lines[-1].split("more events, see 'svcctl events': ")
    assert last[1].startswith("1 VPN_Service error, 1")
    assert last[1].endswith(" VPN_Service up")


def test_a_name_makes_no_second_line(logs: Logs) -> None:
    log = EventLog(lambda _name: "")
    log.tell({**EVENT, "name": "a\n2026-11-27T01:02:03.020Z|00001|northd|EMER|it burns\x1b[2J"})
    [line] = [text for _, module, text in logs.messages if module == "events"]
    assert line == r"VPN_Service a\n2026-11-27T01:02:03.020Z|00001|northd|EMER|it burns\x1b[2J: up"


def test_a_tunnel_that_comes_up_and_goes_is_told_by_name(
    logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = SummedLog(tunnel.vlog.info, "changes of tunnels", LogBudget(burst=3))
    monkeypatch.setattr(tunnel, "_CHANGES", few)
    watched = Watched()
    logs.clear()
    watched.log("no proposal chosen")
    watched.show("ESTABLISHED", watched.connection.id)
    watched.show("")
    for moment_ms in (1, 2, 3):
        watched.show("ESTABLISHED", watched.connection.id, now_ms=moment_ms)
        watched.show("", now_ms=moment_ms)
    # Nothing happens any more, and what was left out is told.
    assert log_budget.find_next_ms() == 0
    log_budget.run(4)
    assert log_budget.find_next_ms() is None
    watched.show("ESTABLISHED", watched.connection.id, now_ms=10_000)
    connection = watched.connection
    ends = f"{connection.local_address} to {connection.peer_address}"
    up, down = f"{connection.name}: up, {ends}", f"{connection.name}: down, {ends}"
    lines = [text for _, module, text in logs.messages if module == "tunnel"]
    assert lines == [up, down, up, "5 more changes of tunnels: 3 down, 2 up", up]


def test_sums_are_some_seconds_apart_and_the_last_comes_at_the_end() -> None:
    lines: list[str] = []
    log = SummedLog(lines.append, "things", LogBudget(burst=1, per_s=0))
    for now_ms in range(0, 12_000, 100):
        log.tell("odd" if now_ms % 200 else "even", lambda: "one", now_ms)
        log_budget.run(now_ms)
    assert lines == [
        "one",
        "1 more things: 1 odd",
        "50 more things: 25 even, 25 odd",
        "50 more things: 25 even, 25 odd",
    ]
    assert log.find_next_ms() == 15_100
    log_budget.finish()
    assert lines[-1] == "18 more things: 9 even, 9 odd"
    assert log.find_next_ms() is None
