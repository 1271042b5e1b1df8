"""Service types that are not ours beside a VPN: what they do wrong harms nobody else.

One has a container for each row that the operator made, the other one for each
router that is named for it.  Both fail in the parts that a test names.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from ..lib import sealing
from . import fakechassis
from .cloud import Cloud
from .failing_types import Failing, OwnHalf, RoutedHalf
from .logs import Logs
from .ovsdb import Databases

KEPT = "still as configured before: "
DEATH = "is dead: its heartbeat stopped"
TOKEN = "open-sesame-4711"
TYPES = ["set", ["ipsec", "own", "routed"]]


class Scene:
    """A cloud with a VPN and a container of each of both types."""

    def __init__(self, databases: Databases, logs: Logs) -> None:
        self.own, self.routed = OwnHalf(), RoutedHalf()
        self.cloud = cloud = Cloud(databases, logs)
        cloud.northd.close()
        cloud.halves |= {"own": self.own, "routed": self.routed}
        cloud.northd = cloud.start_northd()
        cloud.add_chassis("hv1", "hv2", service_types=TYPES)
        cloud.add_router("tenant-router")
        cloud.add_connection(cloud.add_vpn("mercury", "tenant-router"), "to-venus")
        cloud.add_router("routed", gateway="1.0.0.12/24", inside="192.168.9.1/24")
        self.add("mine")
        cloud.settle()
        assert len(self.look()) == 3

    def add(self, name: str, service_type: str = "own", **columns: Any) -> None:
        """Adds a row as the operator does."""
        row = {
            "service_type": service_type,
            "configuration": ["map", [["router", "tenant-router"]]],
            "secret": ["map", [["token", TOKEN]]],
            **columns,
        }
        self.cloud.nb.insert("Service_Container", name=name, **row)
        self.cloud.settle()

    def look(self) -> dict[str, dict[str, Any]]:
        """Returns what each container was given, and where, by name."""
        columns = ("service_type", "chassis", "role", "configuration", "secrets", "generation")
        return {
            row["container"]: {name: row[name] for name in columns}
            for row in self.cloud.sb.rows("Container_Binding")
        }

    def message(self, name: str) -> str:
        row = self.cloud.find(self.cloud.nb, "Service_Container", name=name)
        return str(row["status_message"])

    def problem(self) -> str:
        """Returns what svc-northd tells of itself."""
        return str(self.cloud.sb.rows("Northd")[0]["problem"])

    def wait_problem(self, words: str) -> None:
        """Waits until svc-northd tells this of itself, "" for nothing at all."""
        self.cloud.wait_for(
            lambda: words in self.problem() if words else not self.problem(), f"problem {words}"
        )

    def fail(self, half: Failing, *parts: str) -> None:
        """Lets parts of a type fail from here on, or none, and has everything computed again."""
        half.failing = set(parts)
        self.cloud.northd.recover()
        self.cloud.settle()

    def restart(self) -> None:
        """Starts svc-northd again, with the types that are there now."""
        self.cloud.northd.close()
        self.cloud.northd = self.cloud.start_northd()
        self.cloud.settle()

    def kill(self, chassis: str) -> str:
        """Lets a chassis die; returns the other one."""
        self.cloud.logs.allow(DEATH)
        self.cloud.chassis[chassis].alive = False
        self.cloud.pass_time(6000)
        return "hv1" if chassis == "hv2" else "hv2"

    def count_told(self, words: str) -> int:
        return sum(level == "err" and words in text for level, _, text in self.cloud.logs.messages)


@pytest.fixture
def scene(databases: Databases, logs: Logs) -> Iterator[Scene]:
    made = Scene(databases, logs)
    yield made
    made.cloud.laws()
    made.cloud.northd.close()


# -- parts that fail -----------------------------------------------------------------

PARTS = ("compile", "compile of a router", "node", "find_keys")


def find_victim(scene: Scene, part: str) -> tuple[Failing, str]:
    """Returns the type that has a part, and its container."""
    half: Failing = scene.own if part == "compile" else scene.routed
    names = {row["service_type"]: name for name, row in scene.look().items()}
    return half, names["own" if half is scene.own else "routed"]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_fails_harms_nobody(scene: Scene, part: str) -> None:
    scene.cloud.logs.allow(f"{part} fails")
    half, victim = find_victim(scene, part)
    before, ovn = scene.look(), scene.cloud.dump()["ovn"]
    told = {name: scene.message(name) for name in before}
    scene.fail(half, part)
    assert scene.look() == before
    assert scene.cloud.dump()["ovn"] == ovn
    assert scene.message(victim).startswith(KEPT)
    assert {name: scene.message(name) for name in before if name != victim} == {
        name: text for name, text in told.items() if name != victim
    }
    scene.wait_problem(f"{part} fails")
    scene.cloud.northd.recover()
    scene.cloud.settle()
    faults = [each for each in scene.cloud.northd.engine.faults.values() if part in each.sentence]
    assert scene.count_told(f"{part} fails") == len(faults) >= 1, "each fault is logged once"
    scene.fail(half)
    assert {name: scene.message(name) for name in before} == told
    scene.wait_problem("")
    assert scene.look() == before


@pytest.mark.parametrize("part", PARTS)
def test_its_containers_are_placed_elsewhere_when_their_chassis_dies(
    scene: Scene, part: str
) -> None:
    scene.cloud.logs.allow(f"{part} fails")
    half, victim = find_victim(scene, part)
    scene.fail(half, part)
    before = scene.look()[victim]
    place = scene.kill(before["chassis"])
    after = scene.look()
    assert {row["chassis"] for row in after.values()} == {place}
    assert after[victim]["configuration"] == before["configuration"]
    assert fakechassis.read_requested(scene.cloud.ovn)[victim] == place
    assert scene.message(victim).startswith(KEPT)
    if victim == "mine":
        host = scene.cloud.chassis[place]
        sealed = dict(after[victim]["secrets"][1])["token"]
        assert sealing.unseal(sealed, host.private_key) == TOKEN


def test_secrets_that_cannot_be_found_are_told_and_found_later(scene: Scene) -> None:
    scene.cloud.logs.allow("fails")
    scene.fail(scene.own, "compile", "find_secrets")
    before = scene.look()
    place = scene.kill(before["mine"]["chassis"])
    after = scene.look()
    assert {row["chassis"] for name, row in after.items() if name != "mine"} == {place}
    assert scene.count_told("find_secrets fails") == 1
    assert "compile fails" in scene.message("mine")
    scene.fail(scene.own)
    assert scene.look()["mine"]["chassis"] == place
    assert scene.message("mine") == "as told"


def test_status_nodes_that_fail_leave_every_row_as_it_is(scene: Scene) -> None:
    scene.cloud.logs.allow("status node fails")
    before = scene.cloud.dump()
    scene.fail(scene.routed, "status node")
    assert scene.cloud.dump() == before
    scene.wait_problem("status node fails")
    scene.fail(scene.routed)
    scene.wait_problem("")


def test_a_key_of_options_that_means_nothing_is_told(scene: Scene) -> None:
    before = scene.message("mine")
    scene.cloud.nb.update(
        "Service_Container", [["name", "==", "mine"]], options=["map", [["a", "b"]]]
    )
    scene.cloud.settle()
    assert scene.message("mine") == f"{before}; options:a is no option"


def test_what_its_keys_are_is_nothing_to_svc_northd(scene: Scene) -> None:
    before = scene.cloud.dump()
    scene.fail(scene.own, "describe")
    assert scene.cloud.dump() == before


def test_one_that_never_ran_does_not_begin_and_says_why(scene: Scene) -> None:
    scene.cloud.logs.allow("compile fails")
    scene.fail(scene.own, "compile")
    scene.add("another")
    assert "another" not in scene.look()
    assert "compile fails" in scene.message("another")
    assert KEPT not in scene.message("another")
    scene.fail(scene.own)
    assert scene.message("another") == "as told"


def test_one_that_goes_while_its_type_fails_goes_whole(scene: Scene) -> None:
    scene.cloud.logs.allow("compile fails")
    scene.fail(scene.own, "compile")
    scene.cloud.nb.delete("Service_Container", [["name", "==", "mine"]])
    scene.cloud.settle()
    assert "mine" not in scene.look()
    assert "mine" not in fakechassis.read_requested(scene.cloud.ovn)


def test_an_impure_type_changes_its_own_containers_only(databases: Databases, logs: Logs) -> None:
    scene = Scene(databases, logs)
    before = scene.look()
    scene.cloud.northd.checking = False  # its recompute cannot give the same
    scene.own.count = itertools.count()
    for _ in range(3):
        given = scene.look()["mine"]["configuration"]
        scene.cloud.northd.recover()
        scene.cloud.settle()
        after = scene.look()
        assert after.pop("mine")["configuration"] != given
        assert after == {name: row for name, row in before.items() if name != "mine"}
    scene.wait_problem("")
    scene.cloud.northd.close()


def test_keys_that_are_others_each_time_stop_nobody(databases: Databases, logs: Logs) -> None:
    scene = Scene(databases, logs)
    scene.cloud.northd.checking = False  # as above
    before = scene.look()
    scene.routed.failing = {"impure find_keys"}
    for number in range(3):
        # The same key leads elsewhere, before and after the change.
        scene.cloud.ovn.update("Logical_Router", [["name", "==", "routed"]], name=f"routed{number}")
        scene.add(f"more{number}")
    after = scene.look()
    assert {"more0", "more1", "more2"} <= after.keys()
    assert {name: after[name] for name in before} == before
    scene.cloud.northd.close()


# -- types that are not there, or not as they should be --------------------------------


def test_one_that_is_uninstalled_leaves_its_containers_running(scene: Scene) -> None:
    before, ovn = scene.look(), scene.cloud.dump()["ovn"]
    del scene.cloud.halves["own"], scene.cloud.halves["routed"]
    scene.restart()
    assert scene.look() == before
    assert scene.cloud.dump()["ovn"] == ovn
    for name in ("mine", find_victim(scene, "node")[1]):
        service_type = before[name]["service_type"]
        sentence = f"service type {service_type} is not installed on central"
        assert scene.message(name).startswith(KEPT + sentence)
    scene.add("another")
    assert scene.message("another").startswith("service type own is not installed on central")
    scene.cloud.halves |= {"own": scene.own, "routed": scene.routed}
    scene.restart()
    assert scene.message("mine") == scene.message("another") == "as told"
    assert before.items() <= scene.look().items()


def test_one_that_is_uninstalled_is_placed_again_once_its_type_is_back(scene: Scene) -> None:
    """What a secret is only its type can say, so that the container waits for that."""
    before = scene.look()["mine"]["chassis"]
    del scene.cloud.halves["own"], scene.cloud.halves["routed"]
    scene.restart()
    place = scene.kill(before)
    after = scene.look()
    assert after["mine"]["chassis"] == before, "what is known of it stays"
    assert {row["chassis"] for name, row in after.items() if name != "mine"} == {place}
    assert "is not installed on central" in scene.message("mine")
    scene.cloud.halves |= {"own": scene.own, "routed": scene.routed}
    scene.restart()
    assert {row["chassis"] for row in scene.look().values()} == {place}
    assert scene.message("mine") == "as told"


# -- names ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a name", "../up", "x" * 16, "", ".", "é"])
def test_a_name_that_cannot_be_one(scene: Scene, name: str) -> None:
    before = scene.look()
    scene.add(name)
    assert "cannot be the name of a container" in scene.message(name)
    assert scene.look() == before


@pytest.mark.parametrize("service_type", ["", "nobody", "../own"])
def test_a_type_that_nobody_has(scene: Scene, service_type: str) -> None:
    before = scene.look()
    scene.add("another", service_type)
    assert "is not installed on central" in scene.message("another")
    assert scene.look() == before


@pytest.mark.parametrize(
    ("service_type", "sentence"),
    [
        ("quux", "service type quux is not installed on central"),
        ("", "service type of no name is not installed on central"),
        ("routed", "service type routed is not served by a row of its own"),
    ],
)
def test_one_that_runs_goes_on_under_a_type_that_cannot_be(
    scene: Scene, service_type: str, sentence: str
) -> None:
    before = scene.look()
    scene.cloud.nb.update("Service_Container", [["name", "==", "mine"]], service_type=service_type)
    scene.cloud.settle()
    assert scene.message("mine").startswith(KEPT + sentence)
    assert scene.look() == before
    scene.cloud.nb.update("Service_Container", [["name", "==", "mine"]], service_type="own")
    scene.cloud.settle()
    assert not scene.message("mine").startswith(KEPT)
    assert scene.look() == before


def test_a_type_that_has_rows_of_its_own(scene: Scene) -> None:
    before = scene.look()
    scene.add("another", "routed")
    assert "is not served by a row of its own" in scene.message("another")
    assert scene.look() == before


def test_a_type_that_no_chassis_has(scene: Scene) -> None:
    before = scene.look()
    scene.cloud.halves["rare"] = OwnHalf("rare")
    scene.restart()
    scene.add("another", "rare")
    assert scene.message("another") == (
        "no chassis can run it: both chassis are without service type rare"
    )
    assert scene.look() == before


@pytest.mark.parametrize("service_type", ["own", "nobody", "ipsec", "routed"])
def test_one_that_is_named_as_a_container_of_another_type_will_be(
    scene: Scene, service_type: str
) -> None:
    """The VPN comes later; the row of the operator does not stop it, nor does it get its place."""
    cloud, before = scene.cloud, scene.look()
    router = cloud.add_router("other", gateway="1.0.0.22/24", inside="192.168.19.1/24")
    name = f"vpn-{UUID(router).hex[:11]}"
    scene.add(name, service_type)
    settings = {"external_ips": "1.0.0.122", "local_subnets": "192.168.19.0/24"}
    vpn = cloud.add_vpn("mars", "other", **settings)
    cloud.add_connection(vpn, "to-mars", peer_address="1.0.0.33", peer_subnets="192.168.20.0/24")
    cloud.settle()
    assert scene.look()[name]["service_type"] == "ipsec"
    assert before.items() <= scene.look().items()
    cloud.nb.delete("VPN_Service", [["name", "==", "mars"]])
    cloud.settle()
    if service_type == "own":
        assert scene.look()[name]["service_type"] == "own"
    else:
        assert name not in scene.look()
    assert before.items() <= scene.look().items()
