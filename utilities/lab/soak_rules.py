"""The kinds of operation that the soak has: here what an operator wishes.  Pure.

What breaks is in soak_failure_rules.py, what others do in soak_other_rules.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import combinations

from .soak_failure_rules import FAILURES
from .soak_model import GROUPS, State, Vpn
from .soak_other_rules import OTHERS
from .soak_rule import Rule, Words, list_vpns, mark, stay

# Without "load": the chassis of a lab share the processors of one machine, and where that is busy
# the policy refuses them all.
POLICIES = ("weighted", "least", "random")
WAITS_S = ("0.3", "1", "3", "5", "8")
DOMAIN = "rack"


# -- VPNs and groups -----------------------------------------------------------


def list_new_vpns(state: State) -> Iterator[Words]:
    for number in state.tenants:
        if number not in state.vpns:
            yield from ((str(number), group) for group in ("", *state.groups))


def list_regroupings(state: State) -> Iterator[Words]:
    for number, vpn in state.vpns.items():
        groups = (group for group in ("", *state.groups) if group != vpn.group)
        yield from ((str(number), group) for group in groups)


def add_vpn(state: State, target: str, group: str) -> State:
    """Returns the state with one VPN more, pinned to where it was pinned before."""
    number = int(target)
    pins = {each: pin for each, pin in state.pins.items() if each != number}
    made = Vpn(group=group, pin=state.pins.get(number, ""))
    return replace(state.set_vpn(number, made), pins=pins)


def drop_vpn(state: State, target: str) -> State:
    """Returns the state without a VPN; the pin of its container stays."""
    number = int(target)
    pin = state.vpns[number].pin
    pins = {**state.pins, number: pin} if pin else state.pins
    return replace(state.set_vpn(number, None), pins=pins)


def change_vpn(state: State, target: str, **columns: str | bool) -> State:
    """Returns the state with other words in a VPN."""
    vpn = state.vpns[int(target)]
    return state.set_vpn(int(target), replace(vpn, **columns))  # type: ignore[arg-type]


def list_spares(state: State, there: bool) -> Iterator[Words]:
    yield from ((str(number), "") for number, vpn in state.vpns.items() if vpn.spare is there)


def list_switches(state: State) -> Iterator[Words]:
    for number, vpn in state.vpns.items():
        yield str(number), "false" if vpn.enabled else "true"


def list_new_groups(state: State) -> Iterator[Words]:
    for name in GROUPS:
        if name not in state.groups:
            yield from ((name, policy) for policy in POLICIES)


def list_old_groups(state: State) -> Iterator[Words]:
    used = {vpn.group for vpn in state.vpns.values()}
    yield from ((name, "") for name in state.groups if name not in used)


def list_group_words(state: State, values: Iterable[str]) -> Iterator[Words]:
    yield from ((name, value) for value in values for name in state.groups)


def set_group(state: State, name: str, standbys: int | None) -> State:
    """Returns the state with that group, or without it."""
    others = {each: number for each, number in state.groups.items() if each != name}
    if standbys is None:
        near = {each: numbers for each, numbers in state.near.items() if each != name}
        return replace(state, groups=others, near=near)
    return replace(state, groups=dict(sorted({**others, name: standbys}.items())))


def list_port_groups(state: State) -> Iterator[Words]:
    """Gives each group with none, one or two of the tenants whose guests are its ports."""
    choices = [found for size in (0, 1, 2) for found in combinations(state.tenants, size)]
    words = [",".join(map(str, found)) for found in choices]
    yield from list_group_words(state, words)


def set_ports(state: State, name: str, words: str) -> State:
    """Returns the state in which the group is near those tenants' guests, or near none."""
    others = {each: numbers for each, numbers in state.near.items() if each != name}
    near = {name: tuple(map(int, words.split(",")))} if words else {}
    return replace(state, near=dict(sorted({**others, **near}.items())))


# -- places --------------------------------------------------------------------


def list_targets(state: State) -> Iterator[Words]:
    for number, vpn in state.vpns.items():
        if not vpn.pin:
            yield from ((str(number), chassis) for chassis in state.list_usable())


def list_bad_targets(state: State) -> Iterator[Words]:
    """Gives what a migration cannot be to: nothing, nowhere, a chassis that may not have it."""
    hurt = state.drained | state.weightless | state.limited | state.dead | state.cut
    for number, vpn in state.vpns.items():
        bad = (name for name in state.chassis if name in hurt or vpn.pin not in ("", name))
        yield from ((str(number), target) for target in ("", "nowhere", *bad))


def list_unpinnings(state: State) -> Iterator[Words]:
    yield from ((str(number), "") for number, vpn in state.vpns.items() if vpn.pin)


def list_weights(state: State) -> Iterator[Words]:
    yield from ((name, weight) for name in state.chassis for weight in ("0", "1", "4"))


def list_limits(state: State) -> Iterator[Words]:
    yield from ((name, limit) for name in state.chassis for limit in ("0", "1", "none"))


WISHES: dict[str, Rule] = {
    "wait": Rule(20, lambda _: (("", each) for each in WAITS_S), stay, commands=False),
    "vpn-add": Rule(20, list_new_vpns, add_vpn),
    "vpn-del": Rule(2, list_vpns, lambda s, t, _: drop_vpn(s, t)),
    "vpn-group": Rule(3, list_regroupings, lambda s, t, v: change_vpn(s, t, group=v)),
    "conn-add": Rule(
        2, lambda s: list_spares(s, False), lambda s, t, _: change_vpn(s, t, spare=True)
    ),
    "conn-del": Rule(
        2, lambda s: list_spares(s, True), lambda s, t, _: change_vpn(s, t, spare=False)
    ),
    "conn-dpd": Rule(2, lambda s: ((t, v) for t, _ in list_vpns(s) for v in ("5", "30")), stay),
    "conn-enable": Rule(2, list_switches, lambda s, t, v: change_vpn(s, t, enabled=v == "true")),
    "group-add": Rule(4, list_new_groups, lambda s, t, _: set_group(s, t, 0)),
    "group-del": Rule(1, list_old_groups, lambda s, t, _: set_group(s, t, None)),
    "group-policy": Rule(1, lambda s: list_group_words(s, POLICIES), stay),
    "group-standby": Rule(
        3, lambda s: list_group_words(s, "012"), lambda s, t, v: set_group(s, t, int(v))
    ),
    "group-spread": Rule(2, lambda s: list_group_words(s, ("", DOMAIN)), stay),
    "group-ports": Rule(3, list_port_groups, set_ports),
    "rack": Rule(2, lambda s: ((name, rack) for name in s.chassis for rack in "ab"), stay),
    "pin": Rule(3, list_targets, lambda s, t, v: change_vpn(s, t, pin=v)),
    "unpin": Rule(3, list_unpinnings, lambda s, t, _: change_vpn(s, t, pin="")),
    "migrate": Rule(5, list_targets, stay),
    "migrate-badly": Rule(3, list_bad_targets, stay),
    "drain": Rule(
        3,
        lambda s: ((name, "") for name in s.chassis if name not in s.drained),
        lambda s, t, _: replace(s, drained=mark(s.drained, t, True)),
    ),
    "undrain": Rule(
        3,
        lambda s: ((name, "") for name in sorted(s.drained)),
        lambda s, t, _: replace(s, drained=mark(s.drained, t, False)),
    ),
    "weight": Rule(
        3, list_weights, lambda s, t, v: replace(s, weightless=mark(s.weightless, t, v == "0"))
    ),
    "limit": Rule(
        3, list_limits, lambda s, t, v: replace(s, limited=mark(s.limited, t, v != "none"))
    ),
    "enforce-limit": Rule(1, lambda _: (("", "true"), ("", "false")), stay),
    "recompute": Rule(1, lambda _: (("", ""),), stay, commands=False),
}
RULES = WISHES | FAILURES | OTHERS
