"""Commands that wait until it is done: a drain, a migration."""

from __future__ import annotations

import signal

import pytest

from .ovsdb import Databases, wait_until
from .svcctl import Svcctl, add_container, bind, find_wish, update, wish


@pytest.fixture
def cloud(databases: Databases, svcctl: Svcctl) -> Svcctl:
    """Three chassis that are alive, and container vpn-1 of group g on hv1."""
    add_container(databases)
    return svcctl


def unbind(databases: Databases, chassis: str) -> None:
    databases.sb.delete("Container_Binding", [["chassis", "==", chassis]])


def answer(databases: Databases) -> None:
    """Does as svc-northd does once it has compiled what was written."""

    def find() -> int:
        rows = databases.nb.rows("SVC_Global")
        return int(rows[0]["nb_cfg"]) if rows else 0

    databases.nb.update("SVC_Global", [], sb_cfg=wait_until(find, "nb_cfg"))


# -- drain -----------------------------------------------------------------


def test_a_chassis_is_drained(cloud: Svcctl, databases: Databases) -> None:
    process = cloud.start("chassis-drain", "hv1", "--wait")
    wait_until(lambda: databases.nb.rows("Chassis", [["drain", "==", True]]), "the drain")
    # A standby there is something there.
    databases.sb.update("Container_Binding", [], role="standby")
    answer(databases)
    bind(databases, "vpn-1", "hv2")
    unbind(databases, "hv1")
    assert process.communicate() == ("hv1 is drained\n", "")
    assert process.returncode == 0


def test_a_drain_waits_for_svc_northd_to_have_seen_it(cloud: Svcctl, databases: Databases) -> None:
    unbind(databases, "hv1")
    process = cloud.start("-t", "1", "chassis-drain", "hv1", "--wait")
    assert process.communicate()[1] == (
        "svcctl: timed out after 1 s while waiting for svc-northd (nb_cfg 1); "
        "the change is in the database\n"
    )
    process = cloud.start("chassis-drain", "hv1", "--wait")
    wait_until(lambda: databases.nb.rows("SVC_Global", [["nb_cfg", "==", 2]]), "the number")
    answer(databases)
    assert process.communicate() == ("hv1 is drained\n", "")


def test_a_drain_that_lasts_says_who_is_left(cloud: Svcctl, databases: Databases) -> None:
    update(databases, status_message="no chassis can run it,\n1 refused")
    for number in range(2, 9):
        bind(databases, f"vpn-{number}", "hv1")
    bind(databases, "vpn-2", "hv2", "standby")
    process = cloud.start("-t", "3", "chassis-drain", "hv1", "--wait")
    wait_until(lambda: databases.nb.rows("Chassis"), "the drain")
    answer(databases)
    out, err = process.communicate()
    assert (process.returncode, out) == (-signal.SIGALRM, "")
    assert err == (
        "svcctl: timed out after 3 s while waiting for chassis hv1 to be drained; still there: "
        "vpn-1 (no chassis can run it,\\n1 refused), vpn-2 (moving to hv2), vpn-3, vpn-4, vpn-5, "
        "and 3 more\n"
    )


def test_a_drain_that_somebody_ends(cloud: Svcctl, databases: Databases) -> None:
    process = cloud.start("chassis-drain", "hv1", "--wait")
    wait_until(lambda: databases.nb.rows("Chassis"), "the drain")
    cloud.good("chassis-undrain", "hv1")
    answer(databases)
    assert process.communicate() == ("", "svcctl: hv1: somebody has ended the drain meanwhile\n")
    assert process.returncode == 1


def test_a_drain_that_cannot_be_waited_for(cloud: Svcctl, databases: Databases) -> None:
    cloud.good("chassis-drain", "hv1", "--", "chassis-undrain", "hv1")
    assert cloud.good("--dry-run", "chassis-drain", "hv1", "--wait") == ""
    databases.sb.stop()
    assert "database connection failed" in cloud.bad("chassis-drain", "hv1", "--wait")
    cloud.good("chassis-drain", "hv1")


# -- migration -------------------------------------------------------------


def test_each_migration_counts(cloud: Svcctl, databases: Databases) -> None:
    running = [cloud.start("container-migrate", "vpn-1", "hv2") for _ in range(4)]
    assert [process.communicate() for process in running] == [("", "")] * 4
    row = find_wish(databases)
    assert (row["migrate_chassis"], row["migrate_cfg"]) == ("hv2", 4)
    words = ("container-migrate", "vpn-1", "hv3")
    cloud.good(*words, "--", *words, "--", "set", "Container_Wish", "vpn-1", "external_ids:a=b")
    row = find_wish(databases)
    assert (row["migrate_chassis"], row["migrate_cfg"]) == ("hv3", 6)
    assert row["external_ids"] == ["map", [["a", "b"]]]
    shown = cloud.good("container-show", "vpn-1")
    assert "    migration: request 6, to hv3, is under way\n" in shown


def test_a_container_that_is_there_already(cloud: Svcctl, databases: Databases) -> None:
    result = cloud("container-migrate", "vpn-1", "hv1", "--wait")
    assert (result.status, result.stdout) == (0, "")
    assert result.stderr == "svcctl: warning: vpn-1 is on hv1 already\n"
    assert find_wish(databases) == {}
    # It stays, where it was about to leave.
    cloud.good("container-migrate", "vpn-1", "hv2", "--", "container-migrate", "vpn-1", "hv1")
    assert find_wish(databases)["migrate_cfg"] == 2


def test_a_container_that_is_pinned(cloud: Svcctl, databases: Databases) -> None:
    cloud.good("container-pin", "vpn-1", "hv2")
    said = cloud.bad("container-migrate", "vpn-1", "hv3")
    assert said == "vpn-1: is pinned to hv2; unpin it, or pin it elsewhere"
    cloud.good("container-unpin", "vpn-1", "--", "container-migrate", "vpn-1", "hv3")
    cloud.good("container-pin", "vpn-1", "hv2", "--", "container-migrate", "vpn-1", "hv2")


@pytest.mark.parametrize(
    ("done", "status", "out", "err"),
    [
        (1, "migrated to hv2", "vpn-1: migrated to hv2\n", ""),
        (2, "migrated to hv2", "vpn-1: migrated to hv2\n", ""),
        (1, "not migrated to hv2: no memory", "", "vpn-1: not migrated to hv2: no memory\n"),
        (
            2,
            "migrated to hv3",
            "",
            "vpn-1: another request came after that to migrate to hv2: migrated to hv3\n",
        ),
    ],
)
def test_waiting_for_a_migration(
    cloud: Svcctl, databases: Databases, done: int, status: str, out: str, err: str
) -> None:
    process = cloud.start("container-migrate", "vpn-1", "hv2", "--wait")
    wait_until(lambda: find_wish(databases).get("migrate_cfg"), "the request")
    update(databases, status_message="moving")
    wish(databases, migrated_cfg=done, migrate_status=status)
    complaint = f"svcctl: {err}" if err else ""
    assert process.communicate() == (out, complaint)
    assert process.returncode == bool(err)


def test_a_migration_waits_for_its_own_number(cloud: Svcctl, databases: Databases) -> None:
    wish(databases, migrate_cfg=7, migrated_cfg=7, migrate_status="migrated to hv2")
    process = cloud.start("-t", "3", "container-migrate", "vpn-1", "hv2", "--wait")
    wait_until(lambda: find_wish(databases).get("migrate_cfg") == 8, "the request")
    update(databases, status_message="no room")
    out, err = process.communicate()
    assert (process.returncode, out) == (-signal.SIGALRM, "")
    assert err == (
        "svcctl: timed out after 3 s while waiting for container vpn-1 to migrate to hv2 "
        "(no room); the change is in the database\n"
    )


def test_a_migration_and_all_chassis(cloud: Svcctl, databases: Databases) -> None:
    words = ("--wait=hv", "container-migrate", "vpn-1", "hv2", "--wait")
    assert cloud.good("--dry-run", *words) == ""
    process = cloud.start(*words, "--", "init")
    answer(databases)
    wish(databases, migrated_cfg=1, migrate_status="migrated to hv2")
    databases.nb.update("SVC_Global", [], hv_cfg=1)
    assert process.communicate() == ("vpn-1: migrated to hv2\n", "")


def test_a_container_that_goes_meanwhile(cloud: Svcctl, databases: Databases) -> None:
    process = cloud.start("container-migrate", "vpn-1", "hv2", "--wait")
    wait_until(lambda: find_wish(databases).get("migrate_cfg"), "the request")
    databases.nb.delete("Service_Container")
    said = "svcctl: vpn-1: the container was removed meanwhile\n"
    assert process.communicate() == ("", said)
    assert process.returncode == 1


def test_wait_of_svcctl_is_not_wait_of_a_command(cloud: Svcctl) -> None:
    assert cloud.bad("--wait", "container-migrate", "vpn-1", "hv2") == (
        'argument to --wait must be "none", "sb", or "hv"'
    )
    said = cloud.bad("container-migrate", "vpn-1", "hv2", "--wait=hv")
    assert said == "option '--wait=hv' doesn't allow an argument"
    assert cloud.bad("container-unpin", "vpn-1", "--wait") == 'put "--wait" before the command'
    usage = "usage: svcctl [OPTIONS]\n  chassis-drain CHASSIS\n      [--wait]\n"
    assert cloud.good("chassis-drain", "--help").startswith(f"{usage}\nMoves containers away")
