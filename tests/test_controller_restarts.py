"""When a program that ended is started again, and when that is a failure."""

from __future__ import annotations

from ..services.api.restarts import ERROR_AFTER_DEATHS, STABLE_MS, Restarts

DEATHS = "charon exited with status 1, 4 times within a minute of its start"


def die(restarts: Restarts, times: int, now_ms: int = 0) -> list[int]:
    """Ends the program at once after each start; returns the delays before the next."""
    delays = []
    for _ in range(times):
        restarts.note_start(now_ms)
        restarts.note_end("charon exited with status 1", now_ms)
        delays.append(restarts.start_at_ms - now_ms)
        now_ms = restarts.start_at_ms
    return delays


def is_failure(restarts: Restarts) -> bool:
    return restarts.problem is not None


def test_the_first_restart_is_at_once_and_the_delay_has_a_cap() -> None:
    assert die(Restarts(), 12) == [0, 500, 1000, 2000, 4000, 8000, 16000, *[30000] * 5]


def test_one_that_ends_again_and_again_is_a_failure() -> None:
    restarts = Restarts(count=3)
    die(restarts, ERROR_AFTER_DEATHS - 1)
    assert not is_failure(restarts)
    die(restarts, 1, now_ms=STABLE_MS // 2)
    assert restarts.problem == f"{DEATHS}; tried again after 2 s"
    assert restarts.count == 3 + ERROR_AFTER_DEATHS


def test_one_that_runs_for_a_minute_is_well() -> None:
    restarts = Restarts()
    die(restarts, ERROR_AFTER_DEATHS)
    restarts.note_start(0)
    restarts.note_running(STABLE_MS)
    assert is_failure(restarts)
    restarts.note_running(STABLE_MS + 1)
    assert not is_failure(restarts)
    assert die(restarts, 1) == [0]


def test_what_comes_next_is_told() -> None:
    restarts = Restarts()
    die(restarts, ERROR_AFTER_DEATHS)
    restarts.note_start(2000)
    assert restarts.problem == f"{DEATHS}; it runs, and is well if it does so for a minute"
    restarts.note_end("charon was killed", 3000)
    assert restarts.problem is not None
    assert restarts.problem.endswith(
        "more than 4 times within a minute of its start; tried again after 4 s"
    )


def test_what_is_told_of_one_that_goes_on_so_stands_still() -> None:
    restarts = Restarts()
    die(restarts, 12)
    told = []
    for now_ms in range(0, 10 * STABLE_MS, STABLE_MS):
        restarts.note_end("charon was killed", now_ms)
        told.append(restarts.problem)
        restarts.note_start(now_ms + 1)
        told.append(restarts.problem)
    assert len(set(told)) == 2


def test_ends_that_are_far_apart_are_no_failure() -> None:
    restarts = Restarts()
    for _ in range(10):
        restarts.note_start(0)
        restarts.note_end("charon ended", STABLE_MS + 1)
    assert not is_failure(restarts)
