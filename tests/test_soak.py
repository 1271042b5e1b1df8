"""The choice of the soak's operations."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from ..utilities.lab.soak_actions import Actor
from ..utilities.lab.soak_choice import choose_round, lead, plan_mending
from ..utilities.lab.soak_model import Operation, State
from ..utilities.lab.soak_other_rules import FOREIGN, FOREIGN_MAX, format_foreign, list_translated
from ..utilities.lab.soak_rules import RULES
from ..utilities.lab.tenant import Tenant

START = State(("hv1", "hv2", "hv3"), ("svc-northd", "svc-northd-2"), (1, 2, 3))
SEEDS = st.integers(0, 1 << 32)


def run_rounds(seed: int, number: int) -> tuple[list[Operation], list[State]]:
    """Returns the operations of some rounds, mended in between, and the state after each."""
    chance = random.Random(seed)
    operations, states = [], [START]
    for _ in range(number):
        for source in (lambda state: choose_round(chance, state), plan_mending):
            for operation in source(states[-1]):
                operations.append(operation)
                states.append(lead(states[-1], operation))
    return operations, states


@settings(max_examples=25)
@given(SEEDS)
def test_seed_decides_everything(seed: int) -> None:
    assert run_rounds(seed, 3) == run_rounds(seed, 3)


@settings(max_examples=25)
@given(SEEDS)
def test_every_state_leaves_each_vpn_a_place(seed: int) -> None:
    _, states = run_rounds(seed, 5)
    for state in states:
        usable = state.list_usable()
        assert usable
        assert all(vpn.pin in ("", *usable) for vpn in state.vpns.values())
        for vpn in state.vpns.values():
            guests = state.near.get(vpn.group, state.tenants)
            near = {state.chassis[number - 1] for number in guests}
            assert near & ({vpn.pin} if vpn.pin else set(usable))
        assert all(vpn.group in ("", *state.groups) for vpn in state.vpns.values())
        assert set(state.near) <= set(state.groups)
        assert state.list_unhurt()
        assert len(state.foreign) <= FOREIGN_MAX


@settings(max_examples=25)
@given(SEEDS)
def test_mending_leaves_nothing_broken(seed: int) -> None:
    chance = random.Random(seed)
    state = START
    for operation in choose_round(chance, state):
        state = lead(state, operation)
    mending = plan_mending(state)
    for operation in mending:
        state = lead(state, operation)
    assert state.list_unhurt() == list(START.chassis)
    assert not state.ended | state.stopped
    starts = [each.value for each in mending if each.name == "start" and each.target == "hv1"]
    if {"ovsdb-server", "ovs-vswitchd"} <= set(starts):
        assert starts.index("ovsdb-server") < starts.index("ovs-vswitchd")


def test_every_kind_comes_and_somebody_does_it() -> None:
    operations, _ = run_rounds(1, 200)
    assert {each.name for each in operations} == set(RULES)
    for name in RULES:
        assert hasattr(Actor, f"_do_{name.replace('-', '_')}")


def test_foreign_rows_are_of_one_tenant() -> None:
    addresses = [each for number in (1, 2, 3) for each in list_translated(Tenant(number)).values()]
    assert len(set(addresses)) == len(addresses)
    for name in FOREIGN:
        made = [format_foreign(Tenant(number), f"{name} 7") for number in (1, 2)]
        assert made[0] != made[1]
        for make, unmake in made:
            assert {"-add", "-del"} == {make[0][-4:], unmake[0][-4:]} or "--policy=src-ip" in make


def test_a_pin_outlives_the_vpn() -> None:
    state = START
    for words in (("vpn-add", "1", ""), ("pin", "1", "hv2"), ("vpn-del", "1", "")):
        state = lead(state, Operation(*words))
    assert state.vpns == {}
    assert lead(state, Operation("vpn-add", "1", "")).vpns[1].pin == "hv2"
