"""The kinds of operation of the soak that break something, and those that mend it.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from .soak_model import CHASSIS_PROCESSES, DATABASES, State
from .soak_rule import Rule, Words, list_vpns, stay

# Shorter and longer than the time after which a silent chassis is dead.
PAUSES_S = ("2", "6", "10")
# What others wait for.
PAUSED = (*DATABASES, "ovn-northd", "ovn-controller", "ovs-vswitchd")


def list_running(state: State, names: Iterable[str] | None = None) -> Iterator[Words]:
    """Gives every process that runs, or those of 'names'."""
    hosts = {"central": ("ovn-northd", *DATABASES, *state.northds)}
    hosts |= {name: CHASSIS_PROCESSES for name in state.chassis if name not in state.dead}
    for host, processes in hosts.items():
        for process in processes:
            is_touched = (host, process) in state.ended | state.stopped
            if not is_touched and (names is None or process in names):
                yield host, process


def list_pauses(state: State) -> Iterator[Words]:
    """Gives the processes that others wait for, each with how many s it stands still."""
    for host, process in list_running(state, PAUSED):
        yield from ((host, f"{process} {length}") for length in PAUSES_S)


def list_crashes(state: State) -> Iterator[Words]:
    """Gives the switches that can be started again at once, since their database is there."""
    for host, process in list_running(state, ("ovs-vswitchd",)):
        if (host, "ovsdb-server") not in state.ended:
            yield host, process


def list_leaving(state: State) -> Iterator[Words]:
    """Gives the chassis that can leave for good: svc-controller runs and reaches the others."""
    if state.has_commands():
        for host, _ in list_running(state, ("svc-controller",)):
            if host not in state.cut:
                yield host, ""


def list_startable(state: State) -> Iterator[Words]:
    """Gives the ended processes; a switch waits for its database, without which it has no ports."""
    for host, process in sorted(state.ended):
        if process != "ovs-vswitchd" or (host, "ovsdb-server") not in state.ended:
            yield host, process


def kill_chassis(state: State, name: str, _value: str) -> State:
    def without(there: frozenset[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        return frozenset(each for each in there if each[0] != name)

    return replace(
        state,
        dead=state.dead | {name},
        ended=without(state.ended),
        stopped=without(state.stopped),
    )


FAILURES: dict[str, Rule] = {
    "kill": Rule(
        8, list_running, lambda s, t, v: replace(s, ended=s.ended | {(t, v)}), commands=False
    ),
    "stop": Rule(
        3,
        lambda s: list_running(s, ("svc-controller", "ovn-controller", *s.northds)),
        lambda s, t, v: replace(s, stopped=s.stopped | {(t, v)}),
        commands=False,
    ),
    "pause": Rule(4, list_pauses, stay, commands=False),
    "crash": Rule(3, list_crashes, stay, commands=False),
    "leave": Rule(
        3, list_leaving, lambda s, t, _: replace(s, ended=s.ended | {(t, "svc-controller")})
    ),
    "kill-charon": Rule(4, list_vpns, stay),
    "stop-charon": Rule(2, list_vpns, stay),
    "delete-netns": Rule(3, list_vpns, stay),
    "kill-site": Rule(1, lambda s: ((str(number), "") for number in s.tenants), stay),
    "kill-chassis": Rule(
        3, lambda s: ((name, "") for name in s.chassis if name not in s.dead), kill_chassis, False
    ),
    "start-chassis": Rule(
        3,
        lambda s: ((name, "") for name in sorted(s.dead)),
        lambda s, t, _: replace(s, dead=s.dead - {t}),
        commands=False,
    ),
    "partition": Rule(
        3,
        lambda s: ((name, "") for name in s.chassis if name not in s.cut),
        lambda s, t, _: replace(s, cut=s.cut | {t}),
        commands=False,
    ),
    "heal": Rule(
        3,
        lambda s: ((name, "") for name in sorted(s.cut)),
        lambda s, t, _: replace(s, cut=s.cut - {t}),
        commands=False,
    ),
    "start": Rule(
        3,
        list_startable,
        lambda s, t, v: replace(s, ended=s.ended - {(t, v)}),
        commands=False,
    ),
    "continue": Rule(
        3,
        lambda s: sorted(s.stopped),
        lambda s, t, v: replace(s, stopped=s.stopped - {(t, v)}),
        commands=False,
    ),
}
