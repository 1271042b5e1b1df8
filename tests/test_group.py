"""Node 'group': what a Container_Group asks of the chassis of its containers."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from ..lib import nb
from ..lib.group import POLICIES
from ..northd.engine.engine import Engine
from ..northd.nodes import en_chassis, en_group
from ..northd.nodes.en_group import Group
from ..northd.nodes.en_port_group import HOLDERS, Holders
from ..northd.nodes.tables import CHASSIS_GROUP, CONTAINER_GROUP, PORT_GROUP

GROUP, CHASSIS, PORTS = (uuid.uuid4() for _ in range(3))
ALLOWED = {CHASSIS: nb.ChassisGroup(CHASSIS, "pair", ("hv1", "hv2"))}
EMPTY = {CHASSIS: nb.ChassisGroup(CHASSIS, "empty", ())}
HELD = {PORTS: nb.PortGroup(PORTS, "web", ("web-1", "web-2"))}


def _make(
    chassis_groups: dict[uuid.UUID, nb.ChassisGroup] | None = None,
    port_chassis: dict[uuid.UUID, Holders] | None = None,
    **columns: Any,
) -> Group:
    values: dict[str, Any] = {
        "policy": None,
        "chassis_group": None,
        "port_group": None,
        "spread": None,
        "options": {},
    }
    row = nb.ContainerGroup(GROUP, "gold", **{**values, **columns})
    engine = Engine(en_group.NODES)
    sources: tuple[tuple[Any, Any], ...] = (
        (CONTAINER_GROUP, {GROUP: row}),
        (CHASSIS_GROUP, chassis_groups or ALLOWED),
        (PORT_GROUP, HELD),
        (HOLDERS, port_chassis or {}),
        (en_chassis.CHASSIS_BY_LABEL, {"rack": {"hv1"}}),
    )
    for datum, values in sources:
        for key, value in values.items():
            engine.put(datum, key, value)
    engine.run(0)
    found = engine.get(en_group.GROUP, GROUP)
    assert found is not None
    return found


def test_a_group_that_asks_nothing() -> None:
    assert _make() == Group("gold", policy="least")


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_every_policy_is_known(policy: str) -> None:
    assert _make(policy=policy) == Group("gold", policy=policy)


def test_a_policy_that_is_not_known_is_a_problem() -> None:
    group = _make(policy="nearest")
    assert group.problem == "policy nearest of group gold is not known"
    assert group.policy == "least"


def test_chassis_and_spread() -> None:
    group = _make(chassis_group=CHASSIS, spread="rack")
    assert group == Group("gold", chassis_group=frozenset({"hv1", "hv2"}), spread="rack")
    assert _make(EMPTY, chassis_group=CHASSIS).chassis_group == frozenset()
    assert _make(spread="") == Group("gold")


def test_a_failure_domain_that_no_chassis_is_in_is_told() -> None:
    words = "group gold: no chassis has the key rak, over which it is spread"
    assert _make(spread="rak") == Group("gold", spread="rak", remark=words)


@pytest.mark.parametrize(("text", "standby"), [("0", 0), ("1", 1), ("8", 8)])
def test_standbys(text: str, standby: int) -> None:
    assert _make(options={"standby": text}) == Group("gold", standby=standby)


@pytest.mark.parametrize("text", ["9", "-1", "", "one", "1.5", "٣", "9" * 500])
def test_standbys_that_cannot_be_read_are_those_of_before(text: str) -> None:
    words = (
        f"group gold: options:standby is {text[:40]!r}, not 0 to 8;"
        " each container has as many standbys as before"
    )
    assert _make(options={"standby": text}) == Group("gold", standby=None, remark=words)


@pytest.mark.parametrize(
    ("options", "standby", "words"),
    [
        (
            {"stanby": "1"},
            None,
            "options:stanby is no option, but standby is;"
            " each container has as many standbys as before",
        ),
        ({"stanby": "1", "standby": "2"}, 2, "options:stanby is no option, but standby is"),
        ({"other": "x", "standby": "2"}, 2, "options:other is no option"),
        ({"b\n": "", "a": "", "c": ""}, 0, "options:a and 2 more are no options"),
        ({"a\nb": ""}, 0, 'options:"a\\nb" is no option'),
    ],
)
def test_a_key_that_means_nothing_is_told(
    options: dict[str, str], standby: int | None, words: str
) -> None:
    group = _make(options=options)
    assert group == Group("gold", standby=standby, remark=f"group gold: {words}")


def test_the_chassis_of_a_port_group() -> None:
    bound, up = frozenset({"hv2", "hv3"}), frozenset({"hv3"})
    assert _make(port_group=PORTS, port_chassis={PORTS: Holders(bound, up)}) == Group(
        "gold", port_chassis=up, bound_chassis=bound
    )
    nobody: frozenset[str] = frozenset()
    group = _make(port_group=PORTS, port_chassis={PORTS: Holders(nobody, nobody)})
    assert (group.port_chassis, group.bound_chassis) == (nobody, nobody)


@pytest.mark.parametrize("known", [None, {}])
def test_a_port_group_of_which_ovn_has_not_told_is_a_problem(known: Any) -> None:
    group = _make(port_group=PORTS, port_chassis=known)
    assert group.port_chassis is None
    assert group.problem == (
        "OVN_Southbound has not told yet on which chassis the ports of port group web are"
    )
