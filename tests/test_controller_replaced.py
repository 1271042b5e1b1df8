"""svc-controller where a database is taken away, replaced or restored: what runs goes on."""

from __future__ import annotations

import pytest

from ..lib import loop
from .bench import Bench
from .ovsdb import Database
from .rig import to_map
from .sessions import OUTAGE

LONG_S = 12


@pytest.fixture
def served(chassis: Bench) -> Bench:
    """A chassis with the container 'c1'."""
    chassis.logs.allow(OUTAGE)
    chassis.logs.allow("waiting: external_ids|no bridge|the southbound lost content")
    chassis.bind("c1")
    chassis.until_status("c1", "running")
    chassis.settle()
    return chassis


def is_back(chassis: Bench, name: str) -> bool:
    session = getattr(chassis.controller, name)
    return bool(session.connected and session.synced)


def replace(chassis: Bench, name: str, content: bytes) -> None:
    """Puts another file in the place of a database; returns once it was read."""
    session = getattr(chassis.controller, name)
    connection = session.connection
    getattr(chassis, name).replace(content)
    chassis.until(
        lambda: is_back(chassis, name) and session.connection != connection, "the content"
    )


def run_long(chassis: Bench) -> None:
    """Lets time pass."""
    for _ in range(2 * LONG_S):
        loop.warp(500)
        passes = iter(range(3))
        chassis.until(lambda: next(passes, None) is None, "some passes")  # noqa: B023


def make_other(database: Database) -> bytes:
    """Returns a database of the same schema that is somebody else's."""
    mine = database.read_file()
    database.replace(database.make_empty_file())
    if database.name == "Open_vSwitch":
        database.insert("Open_vSwitch")
    else:
        database.insert("SB_Global", options=to_map({"heartbeat-interval": "1000"}))
    other = database.read_file()
    database.replace(mine)
    return other


@pytest.mark.parametrize("name", ["sb", "ovs"])
def test_a_database_is_removed_and_added_again(served: Bench, name: str) -> None:
    database: Database = getattr(served, name)
    things, done = dict(served.host.things), served.host.operations[:]
    database.detach()
    served.until(lambda: not is_back(served, name), "the end of the connection")
    run_long(served)
    assert (dict(served.host.things), served.host.operations) == (things, done)
    database.attach()
    served.until(lambda: is_back(served, name), "the content again")
    served.bind("c2")
    served.until_status("c2", "running")
    assert served.host.programs["c1"].starts == 1
    served.check_laws()


@pytest.mark.parametrize("kind", ["empty", "other", "yesterday"])
@pytest.mark.parametrize("name", ["sb", "ovs"])
def test_other_content_takes_nothing_away(served: Bench, name: str, kind: str) -> None:
    database: Database = getattr(served, name)
    content = {
        "empty": database.make_empty_file,
        "other": lambda: make_other(database),
        "yesterday": database.read_file,
    }[kind]()
    served.until(lambda: is_back(served, name), "the first content")
    served.until_beats(1)
    served.bind("c2")
    served.until_status("c2", "running")
    served.settle()
    things = dict(served.host.things)
    right = database.read_file()
    replace(served, name, content)
    run_long(served)
    assert dict(served.host.things) == things
    replace(served, name, right)
    served.settle()
    assert dict(served.host.things) == things
    assert {name: each.starts for name, each in served.host.programs.items()} == {"c1": 1, "c2": 1}
    served.check_laws()


def test_a_root_row_that_svc_northd_has_not_filled_takes_nothing_away(served: Bench) -> None:
    """A svc-controller is started before svc-northd has filled a southbound that is new."""
    right, things = served.sb.read_file(), dict(served.host.things)
    served.controller.close()
    served.sb.replace(served.sb.make_empty_file())
    # As 'svc-sbctl set-connection' makes it.
    served.sb.insert("SB_Global")
    served.controller = served.make_controller()
    served.until(lambda: served.controller.registered, "it to register")
    run_long(served)
    assert dict(served.host.things) == things
    replace(served, "sb", right)
    served.settle()
    assert dict(served.host.things) == things
    assert served.host.programs["c1"].starts == 1
    served.check_laws()


def restore_from_before_c2(served: Bench) -> None:
    """Has c2 run, and then the southbound of before it was bound."""
    yesterday = served.sb.read_file()
    served.until_beats(1)
    served.bind("c2")
    served.until_status("c2", "running")
    served.settle()
    replace(served, "sb", yesterday)


def test_what_svc_northd_binds_again_goes_on(served: Bench) -> None:
    """The southbound is restored from yesterday, and filled again by svc-northd."""
    restore_from_before_c2(served)
    run_long(served)
    served.bind("c2")
    served.until_status("c2", "running")
    served.settle()
    assert served.host.programs["c2"].starts == 1
    served.unbind("c2")
    served.until(lambda: served.host.find_names() == {"c1"}, "c2 to go")
    served.check_laws()


def test_what_svc_northd_does_not_bind_again_goes_once_it_works(served: Bench) -> None:
    restore_from_before_c2(served)
    served.sb.insert("Northd", incarnation="1", heartbeat=1)
    run_long(served)
    assert served.host.find_names() == {"c1", "c2"}, "svc-northd does nothing"

    def beat() -> bool:
        (row,) = served.sb.rows("Northd")
        served.sb.update("Northd", [], heartbeat=row["heartbeat"] + 1)
        loop.warp(500)
        return served.host.find_names() == {"c1"}

    served.until(beat, "c2 to go", 30)
    served.check_laws()


def test_what_was_unbound_during_an_outage_goes_at_once(served: Bench) -> None:
    served.sb.stop()
    assert served.controller.sb is not None
    session = served.controller.sb
    served.until(lambda: not session.connected, "the end of the connection")
    served.sb.start()
    served.unbind("c1")
    served.until(lambda: not served.host.find_names(), "c1 to go")
    served.check_laws()
