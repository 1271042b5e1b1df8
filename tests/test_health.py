"""Node 'health': when a container failed on a chassis, how long that is avoided, what is next."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..lib import nb, sb
from ..northd import en_health
from ..northd.en_container import Container, Containers
from ..northd.en_health import (
    ERROR_PATIENCE_MS,
    FIRST_PAUSE_MS,
    LONGEST_PAUSE_MS,
    Health,
)
from ..northd.en_options import Options
from ..northd.liveness import Verdict
from ..northd.scheduler.build_queue import Spot
from ..northd.scheduler.model import ACTIVE, STANDBY, Avoidance, Place, Request
from .placements import Dice, dice, idle, many

NOW = 1_700_000_000_000
TIMEOUT_MS = 15_000
HEALED_AFTER_MS = 60_000
HERE = ("vpn-1", "hv1")
NAMES = ("hv1", "hv2", "hv3")


def _uuid(*parts: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_DNS, "/".join(parts))


def _binding(container: str = "vpn-1", chassis: str = "hv1", **columns: Any) -> sb.ContainerBinding:
    row = sb.ContainerBinding(
        uuid=_uuid(container, chassis),
        container=container,
        chassis=chassis,
        service_type="ipsec",
        role=ACTIVE,
        configuration="{}",
        secrets={},
        generation=1,
        status_code="running",
        status_message="",
        reached_generation=1,
        namespace_name=None,
        interface_name=None,
        restarts=0,
        since=None,
        unwell_since=None,
    )
    return replace(row, **columns)


def _port(container: str = "vpn-1", chassis: str = "hv1") -> sb.PortBinding:
    return sb.PortBinding(
        uuid=_uuid(container, chassis),
        logical_port=container,
        container=container,
        chassis=chassis,
        mac="",
        addresses=(),
        gateways=(),
        mtu=1442,
        iface_id=container,
        up=True,
    )


def _avoided(spot: Spot = HERE, **columns: Any) -> sb.AvoidedChassis:
    values: dict[str, Any] = {
        "reason": "no charon",
        "failures": 1,
        "since": NOW,
        "retry_at": NOW + FIRST_PAUSE_MS,
        "incarnation": "1",
        "weight": 1,
    }
    container, chassis = spot
    return sb.AvoidedChassis(_uuid(*spot), container, chassis, **{**values, **columns})


def _reported(container: str, chassis: str) -> nb.ServiceContainer:
    return nb.ServiceContainer(
        uuid=_uuid(container),
        name=container,
        service_type="ipsec",
        group=None,
        port=None,
        configuration={},
        requested_chassis=None,
        migrate_chassis=None,
        migrate_cfg=0,
        migrated_cfg=0,
        migrate_status="",
        status_code=None,
        status_message="",
        chassis=chassis,
        namespace_name=None,
        interface_name=None,
        since=None,
        external_ids={},
    )


class World:
    """What the node reads; 'write' puts what it says into the rows, as svc-northd does."""

    def __init__(self, *bindings: sb.ContainerBinding) -> None:
        self.bindings: list[sb.ContainerBinding] = list(bindings)
        self.ports: list[sb.PortBinding] = []
        self.avoided: list[sb.AvoidedChassis] = []
        self.reported: list[nb.ServiceContainer] = []
        self.chassis = tuple(idle(1, 1, 1))
        self.verdicts = {name: Verdict(alive=True, incarnation="1") for name in NAMES}
        self.wanted = {"vpn-1", "vpn-2"}
        self.patience: dict[Spot, int] = {}

    def look(self, now_ms: int = NOW) -> Health:
        """Returns what is found out at 'now_ms'."""
        containers = {
            name: Container(name, _uuid(name), Request(name, "ipsec"), None, (), "", ())
            for name in self.wanted
        }
        return en_health.run(
            Containers(containers),
            self.chassis,
            self.verdicts,
            _index(self.bindings),
            _index(self.ports),
            _index(self.avoided),
            _index(self.reported),
            Options(container_start_timeout_ms=TIMEOUT_MS),
            self.patience,
            now_ms,
        )

    def write(self, health: Health) -> None:
        self.bindings = [
            replace(row, unwell_since=health.unwell.get((row.container, row.chassis)))
            for row in self.bindings
        ]
        self.avoided = [_avoided(spot, **asdict(each)) for spot, each in health.avoided.items()]


def _index(rows: Iterable[Any]) -> dict[uuid.UUID, Any]:
    return {row.uuid: row for row in rows}


def _find_place(health: Health, chassis: str = "hv1") -> Place:
    return next(each for each in health.places["vpn-1"] if each.chassis == chassis)


# -- places ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "up", "ready", "serving", "well"),
    [
        ({}, True, True, True, True),
        ({}, False, True, False, False),
        ({"role": STANDBY}, False, True, False, True),
        ({"role": STANDBY}, True, True, False, True),
        ({"generation": 2}, True, False, True, True),
        ({"status_code": "starting"}, True, False, True, False),
        ({"status_code": "error"}, True, False, True, False),
        ({"status_code": None, "reached_generation": 0}, True, False, False, False),
        ({"reached_generation": 0}, True, False, False, False),
    ],
)
def test_how_a_container_is_where_it_is_bound(
    columns: dict[str, Any], up: bool, ready: bool, serving: bool, well: bool
) -> None:
    world = World(_binding(**columns))
    world.ports = [_port()] if up else []
    health = world.look()
    role = columns.get("role", ACTIVE)
    assert health.places == {"vpn-1": (Place("hv1", role, ready=ready, serving=serving),)}
    assert health.unwell == ({} if well else {HERE: NOW})
    assert health.next_ms == (None if well else NOW + _patience(columns))


def _patience(columns: dict[str, Any]) -> int:
    return ERROR_PATIENCE_MS if columns.get("status_code") == "error" else TIMEOUT_MS


def test_a_container_that_is_not_wanted_is_not_looked_at() -> None:
    world = World(_binding("vpn-9", status_code="error"))
    world.avoided = [_avoided(("vpn-9", "hv1"))]
    assert world.look() == Health({}, {}, {}, None)


def test_with_no_binding_the_northbound_s_last_word_counts() -> None:
    world = World(_binding("vpn-1", "hv1"))
    world.reported = [_reported("vpn-1", "hv3"), _reported("vpn-2", "hv2")]
    places = world.look().places
    assert places["vpn-1"][0].chassis == "hv1"
    assert places["vpn-2"] == (Place("hv2", ready=False, serving=False),)


# -- failures -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        (
            {"status_code": None, "reached_generation": 0},
            "the chassis has not taken it up after 15 s",
        ),
        (
            {"status_code": "starting", "status_message": "charon"},
            "starting after 15 s (charon)",
        ),
        ({"status_code": "stopped"}, "stopped after 15 s"),
        ({}, "OVN has not installed its port after 15 s"),
        ({"status_code": "error", "status_message": "no charon"}, "no charon"),
        ({"status_code": "error"}, "error"),
    ],
)
def test_one_that_had_its_time_failed(columns: dict[str, Any], reason: str) -> None:
    patience = _patience(columns)
    world = World(_binding(unwell_since=NOW, **columns))
    before = world.look(NOW + patience - 1)
    assert _find_place(before).failure is None
    assert (before.avoided, before.next_ms) == ({}, NOW + patience)
    after = world.look(NOW + patience)
    assert _find_place(after).failure == reason
    assert after.unwell == {HERE: NOW}
    moment = NOW + patience
    assert after.avoided == {
        HERE: Avoidance(reason, moment + FIRST_PAUSE_MS, 1, moment, incarnation="1", weight=1)
    }
    assert after.next_ms == moment + FIRST_PAUSE_MS


def test_the_pause_doubles_up_to_its_cap_and_retries_never_end() -> None:
    world, now = World(_binding(status_code="error", unwell_since=NOW)), NOW + TIMEOUT_MS
    pauses = []
    for number in range(1, 60):
        health = world.look(now)
        assert health.avoided[HERE].failures == number
        pauses.append(health.avoided[HERE].retry_at - now)
        world.write(health)
        assert world.look(now + 1).avoided == health.avoided
        assert health.next_ms == now + pauses[-1]
        now = health.next_ms
    assert pauses[:7] == [15_000, 30_000, 60_000, 120_000, 240_000, 480_000, LONGEST_PAUSE_MS]
    assert set(pauses[7:]) == {LONGEST_PAUSE_MS}


@pytest.mark.parametrize(
    "verdict", [None, Verdict(alive=False), Verdict(alive=True, ovn_problem="no ovs")]
)
def test_on_a_chassis_that_is_dead_or_unfit_nothing_is_judged(verdict: Verdict | None) -> None:
    world = World(_binding(status_code="error", unwell_since=NOW - 900_000))
    if verdict is None:
        del world.verdicts["hv1"]
    else:
        world.verdicts["hv1"] = verdict
    health = world.look()
    assert _find_place(health).failure is None
    assert (health.unwell, health.avoided, health.next_ms) == ({}, {}, None)
    # Once the chassis is back the container has its whole time.
    world.write(health)
    world.verdicts["hv1"] = Verdict(alive=True, incarnation="1")
    health = world.look(NOW + 5000)
    assert health.unwell == {HERE: NOW + 5000}
    assert health.next_ms == NOW + 5000 + ERROR_PATIENCE_MS


def test_the_time_of_an_unwell_container_counts_from_when_it_is_watched() -> None:
    world = World(_binding(status_code="error", unwell_since=NOW - TIMEOUT_MS))
    world.patience = {("vpn-1", "hv1"): NOW}
    health = world.look(NOW)
    assert (health.avoided, health.next_ms) == ({}, NOW + ERROR_PATIENCE_MS)
    assert world.look(NOW + ERROR_PATIENCE_MS).avoided


def test_a_time_that_lies_ahead_counts_as_this_moment() -> None:
    world = World(_binding(status_code="error", unwell_since=NOW + 10**9))
    far = _avoided(("vpn-1", "hv2"), retry_at=NOW + 10**9)
    world.avoided = [far]
    health = world.look()
    assert health.unwell == {HERE: NOW}
    assert health.avoided["vpn-1", "hv2"].retry_at == NOW + LONGEST_PAUSE_MS
    assert health.next_ms == NOW + ERROR_PATIENCE_MS
    world.write(health)
    assert world.look(NOW + 1).avoided == health.avoided


# -- forgiveness -----------------------------------------------------------------------


def test_a_chassis_is_forgiven_when_it_starts_anew_or_its_weight_changes() -> None:
    world = World()
    world.avoided = [_avoided()]
    assert set(world.look().avoided) == {HERE}
    world.verdicts["hv1"] = Verdict(alive=False, incarnation="1")
    assert set(world.look().avoided) == {HERE}
    world.verdicts["hv1"] = Verdict(alive=True, incarnation="2")
    assert world.look().avoided == {}
    world.verdicts["hv1"] = Verdict(alive=True, incarnation="1")
    world.chassis = tuple(idle(2, 1, 1))
    assert world.look().avoided == {}
    world.chassis = tuple(idle(1, 1, 1)[1:])
    assert set(world.look().avoided) == {HERE}


def test_after_being_forgiven_failures_count_from_one() -> None:
    world = World(_binding(status_code="error", unwell_since=NOW - TIMEOUT_MS))
    world.avoided = [_avoided(failures=6, incarnation="0")]
    assert world.look().avoided[HERE].failures == 1
    assert world.look().avoided[HERE].incarnation == "1"


@pytest.mark.parametrize(("well", "kept_ms"), [(True, HEALED_AFTER_MS), (False, LONGEST_PAUSE_MS)])
def test_a_failure_is_forgotten_after_its_time(well: bool, kept_ms: int) -> None:
    world = World(*([_binding()] if well else []))
    world.ports = [_port()]
    row = _avoided(failures=3)
    world.avoided = [row]
    assert world.look().next_ms == row.retry_at
    health = world.look(row.retry_at)
    assert health.avoided[HERE].failures == 3
    assert health.next_ms == row.retry_at + kept_ms
    assert set(world.look(row.retry_at + kept_ms - 1).avoided) == {HERE}
    assert world.look(row.retry_at + kept_ms) == replace(health, avoided={}, next_ms=None)


# -- at random ----------------------------------------------------------------------------


def _make_world(dice: Dice) -> World:
    world = World()
    for container in ("vpn-1", "vpn-2"):
        for number, chassis in enumerate(dice.sample(NAMES, dice.randint(0, 3))):
            row = _binding(
                container,
                chassis,
                role=STANDBY if number else ACTIVE,
                status_code=dice.some("running", "running", "starting", "error", None),
                reached_generation=dice.randint(0, 1),
                unwell_since=dice.some(None, NOW - dice.randint(0, 40_000), NOW + 10**7),
            )
            world.bindings.append(row)
            if dice.one_in(2):
                world.ports.append(_port(container, chassis))
    for spot in {(dice.some("vpn-1", "vpn-2"), dice.choice(NAMES)) for _ in range(3)}:
        retry_at = NOW + dice.some(-700_000, -61_000, -1000, 0, 1000, 10**9)
        world.avoided.append(
            _avoided(
                spot, failures=dice.randint(1, 9), retry_at=retry_at, weight=dice.some(1, 1, 2)
            )
        )
    for name in NAMES:
        problem = dice.some("", "", "no ovs")
        world.verdicts[name] = Verdict(not dice.one_in(4), dice.some("1", "1", "2"), False, problem)
    return world


def _see(health: Health, now_ms: int) -> object:
    """Returns what anybody does with 'health' at that moment."""
    pending = {spot for spot, each in health.avoided.items() if now_ms < each.retry_at}
    return health.places, health.unwell, health.avoided, pending


@many
@given(st.builds(_make_world, dice), st.lists(st.integers(0, 1000), max_size=3))
def test_nothing_changes_before_the_next_moment_and_something_does_at_it(
    world: World, parts: list[int]
) -> None:
    world.write(world.look())
    now, health = NOW, world.look()
    for _ in range(6):
        world.write(health)
        assert world.look(now) == health, "what was written is what should be there"
        if health.next_ms is None:
            assert _see(world.look(now + 10**8), now + 10**8) == _see(health, now)
            return
        assert health.next_ms > now
        length = health.next_ms - now
        for moment in (health.next_ms - 1, *(now + (length - 1) * part // 1000 for part in parts)):
            assert _see(world.look(moment), moment) == _see(health, now)
            assert world.look(moment).next_ms == health.next_ms
        after = world.look(health.next_ms)
        assert _see(after, health.next_ms) != _see(health, now)
        now, health = health.next_ms, after


@many
@given(st.builds(_make_world, dice))
def test_what_failed_is_avoided_and_what_is_avoided_has_its_end(world: World) -> None:
    health = world.look()
    for container, places in health.places.items():
        for place in places:
            if place.failure is not None:
                assert health.avoided[container, place.chassis].retry_at > NOW
                assert world.verdicts[place.chassis].alive
    for each in health.avoided.values():
        assert each.retry_at <= NOW + LONGEST_PAUSE_MS
