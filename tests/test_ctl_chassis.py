"""failover-now and chassis-del: what an operator says of chassis that are silent."""

from __future__ import annotations

from typing import Any

import pytest

from ..lib.sequence import MOST
from .ovsdb import Databases, wait_until
from .svcctl import Svcctl, add_container


def test_failover_now_is_for_what_is_held_and_for_nothing_later(
    svcctl: Svcctl, databases: Databases
) -> None:
    svcctl.good("init")
    before = databases.nb.dump()
    run = svcctl("failover-now")
    assert (run.status, run.stdout) == (0, "")
    assert run.stderr.endswith("no new places are held: nothing is to be done\n")
    assert databases.nb.dump() == before
    databases.nb.update("SVC_Global", [], mass_failure_cfg=3)
    assert svcctl.good("failover-now") == ""
    [root] = databases.nb.rows("SVC_Global")
    assert root["failover_cfg"] == 3
    before = databases.nb.dump()
    assert svcctl.good("failover-now") == ""
    assert databases.nb.dump() == before


# -- chassis-del -------------------------------------------------------------


@pytest.fixture
def cloud(databases: Databases, svcctl: Svcctl) -> Svcctl:
    """Three chassis, of which hv1 is dead and hv2 has settings."""
    add_container(databases)
    die(databases, "hv1")
    databases.nb.insert("Chassis", name="hv2", container_weight=7, drain=True)
    return svcctl


def die(databases: Databases, name: str) -> None:
    databases.sb.update("Chassis_Weight", [["chassis", "==", name]], alive=False)


def read_word(databases: Databases, name: str) -> Any:
    rows = databases.nb.rows("Chassis", [["name", "==", name]])
    return rows[0] if rows else None


def end(databases: Databases, name: str, status: str) -> None:
    """Does as svc-northd does."""
    row = wait_until(lambda: read_word(databases, name), "the request")
    columns = {"deleted_cfg": row["delete_cfg"], "delete_status": status}
    databases.nb.update("Chassis", [["name", "==", name]], **columns)
    [root] = databases.nb.rows("SVC_Global")
    databases.nb.update("SVC_Global", [], sb_cfg=root["nb_cfg"])


def test_one_that_is_dead_is_to_be_deleted_once(cloud: Svcctl, databases: Databases) -> None:
    cloud.good("chassis-del", "hv1")
    assert read_word(databases, "hv1")["delete_cfg"] == 1
    before = databases.nb.dump()
    cloud.good("chassis-del", "hv1")
    assert databases.nb.dump() == before, "it is under way"
    databases.nb.insert("SVC_Global")
    end(databases, "hv1", "deleted")
    cloud.good("chassis-del", "hv1")
    assert read_word(databases, "hv1")["delete_cfg"] == 2, "it came back, and died again"


def test_a_number_at_the_end_of_its_range_starts_over(cloud: Svcctl, databases: Databases) -> None:
    databases.nb.insert("SVC_Global", nb_cfg=MOST, sb_cfg=MOST, failover_cfg=MOST)
    databases.nb.insert("Chassis", name="hv1", delete_cfg=MOST, deleted_cfg=MOST)
    process = cloud.start("--wait=sb", "chassis-del", "hv1")
    wait_until(lambda: read_word(databases, "hv1")["delete_cfg"] == 1, "the request")
    timed = cloud.start("-t", "1", "--wait=sb", "sync")
    assert "timed out after 1 s while waiting for svc-northd (nb_cfg 2)" in timed.communicate()[1]
    databases.nb.update("SVC_Global", [], sb_cfg=2, mass_failure_cfg=1)
    databases.nb.update("Chassis", [], deleted_cfg=1, delete_status="deleted")
    assert process.communicate()[1] == ""
    cloud.good("failover-now")
    assert databases.nb.rows("SVC_Global")[0]["failover_cfg"] == 1
    # A request at the end that is not over is one that is under way.
    databases.nb.update("Chassis", [], delete_cfg=MOST, deleted_cfg=0)
    cloud.good("chassis-del", "hv1")
    assert read_word(databases, "hv1")["delete_cfg"] == MOST


def test_one_that_is_alive_or_unknown_is_refused(cloud: Svcctl, databases: Databases) -> None:
    before = databases.nb.dump()
    leave = "'svc-appctl -t svc-controller exit --cleanup' there"
    alive = f"hv2: is alive; {leave} takes a chassis out of service"
    assert cloud.bad("chassis-del", "hv2") == alive
    assert cloud.bad("--if-exists", "chassis-del", "hv2") == alive
    assert cloud.bad("chassis-del", "hv9") == "hv9: chassis not found in the southbound"
    assert cloud.bad("chassis-del", "") == '"": not the name of a chassis'
    databases.sb.insert("Chassis", name="hv4")
    unjudged = "hv4: svc-northd has not judged yet whether it is alive"
    assert cloud.bad("chassis-del", "hv4") == unjudged
    assert cloud.good("--if-exists", "chassis-del", "hv9") == ""
    assert databases.nb.dump() == before


def test_what_the_operator_had_set_stays(cloud: Svcctl, databases: Databases) -> None:
    die(databases, "hv2")
    cloud.good("chassis-del", "hv1", "--", "chassis-del", "hv2")
    row = read_word(databases, "hv2")
    assert (row["container_weight"], row["drain"], row["delete_cfg"]) == (7, True, 1)
    for name in ("hv1", "hv2"):
        databases.sb.delete("Chassis", [["name", "==", name]])
    lines = cloud.good("-f", "csv", "--no-headings", "chassis-list").splitlines()
    assert [line.split(",")[0] for line in lines] == ["hv2", "hv3"], "nothing is said of hv1"


def test_it_waits_until_it_is_deleted(cloud: Svcctl, databases: Databases) -> None:
    process = cloud.start("chassis-del", "hv1", "--wait")
    end(databases, "hv1", "deleted")
    assert process.communicate() == ("hv1 is deleted\n", "")
    assert process.returncode == 0
    process = cloud.start("chassis-del", "hv1", "--wait")
    wait_until(lambda: read_word(databases, "hv1")["delete_cfg"] == 2, "the second request")
    end(databases, "hv1", "not deleted: it is alive")
    assert process.communicate() == ("", "svcctl: hv1: not deleted: it is alive\n")
    assert process.returncode == 1


def test_it_does_not_wait_for_what_is_refused(cloud: Svcctl, databases: Databases) -> None:
    process = cloud.start("chassis-del", "hv1", "--wait")
    wait_until(lambda: read_word(databases, "hv1"), "the request")
    status = "not deleted yet: constraint violation: it is held"
    databases.nb.update("Chassis", [["name", "==", "hv1"]], delete_status=status)
    [root] = databases.nb.rows("SVC_Global")
    databases.nb.update("SVC_Global", [], sb_cfg=root["nb_cfg"])
    assert process.communicate() == ("", f"svcctl: hv1: {status}; svc-northd tries again\n")
    assert process.returncode == 1
