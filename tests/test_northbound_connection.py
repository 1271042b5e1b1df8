"""Connections of the API: several, lost ones, races, waiting, events, and no secret told."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ovsdbapp import exceptions
from ovsdbapp.backend.ovs_idl import connection, event, idlutils, vlog

from ..lib import schema
from ..northbound import (
    NorthboundApi,
    Refused,
    RowEvent,
    StatusEvent,
    WaitEvent,
    WaitTimeout,
    connect,
)
from .cloud import Cloud
from .ovsdb import Database, Databases, wait_until
from .tls import Tls

ROOT = Path(__file__).resolve().parents[1]
SECRET = "open-sesame-4711"
VPN = ("mercury", "tenant-router", ["1.0.0.100"], ["192.168.1.0/24"])
CONNECTION = ("mercury", "to-venus", "1.0.0.3", ["192.168.2.0/24"])


@pytest.fixture
def api(databases: Databases) -> Iterator[NorthboundApi]:
    """An API on the northbound of the test."""
    made = connect(databases.nb.remote, timeout=10)
    yield made
    made.close()


# -- several connections -------------------------------------------------------------


def test_two_servers_from_one_process(
    api: Any, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = Database(tmp_path_factory.mktemp("nb"), schema.NORTHBOUND)
    other = connect(server.remote, timeout=10)
    with api.transaction() as change, other.transaction() as elsewhere:
        change.add(api.group_add("here"))
        elsewhere.add(other.group_add("there"))
    assert other.group_list().execute()[0].name == "there"
    other.close()
    server.stop()
    # The one goes on when the other has ended.
    api.group_add("vpns").execute()
    assert {row["name"] for row in databases.nb.rows("Container_Group")} == {"here", "vpns"}


def test_a_connection_of_a_program_s_own(databases: Databases) -> None:
    idl = connection.OvsdbIdl.from_server(databases.nb.remote, schema.NORTHBOUND)
    mine = NorthboundApi(connection.Connection(idl, 10))
    with mine.transaction() as change:
        change.add(mine.vpn_add(*VPN))
        change.add(mine.conn_add(*CONNECTION, psk=SECRET))
    assert SECRET not in str(mine.conn_get("mercury", "to-venus").execute())
    with pytest.raises(Refused, match="already exists"):
        mine.vpn_add(*VPN).execute(log_errors=False)
    with pytest.raises(TypeError, match="tells no events"):
        mine.wait_for_cfg(1)
    mine.close()


def test_those_who_add_the_same_at_once_all_have_it(api: Any, databases: Databases) -> None:
    names = [f"g{number}" for number in range(20)]
    failures: list[Exception] = []

    def add(mine: Any) -> None:
        try:
            for name in names:
                with mine.transaction() as change:
                    change.add(mine.group_add(name, "least", may_exist=True))
                    change.add(mine.nb_cfg_increment())
        except Exception as error:
            failures.append(error)

    others = [connect(databases.nb.remote, timeout=10) for _ in range(2)]
    threads = [threading.Thread(target=add, args=(mine,)) for mine in (api, *others)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in others:
        other.close()
    assert failures == []
    assert sorted(row["name"] for row in databases.nb.rows("Container_Group")) == sorted(names)
    [root] = databases.nb.rows("SVC_Global")
    assert root["nb_cfg"] == 3 * len(names)


def test_a_name_that_is_taken_is_an_error(api: Any) -> None:
    api.group_add("vpns").execute()
    with pytest.raises(RuntimeError, match="identical values"):
        api.db_create("Container_Group", name="vpns").execute(log_errors=False)


# -- lost connections -----------------------------------------------------------------


def test_a_server_that_comes_back(api: Any, databases: Databases) -> None:
    api.vpn_add(*VPN).execute()
    databases.nb.stop()
    with pytest.raises(exceptions.TimeoutException), api.transaction(timeout=0.3, log_errors=False):
        api.group_add("meanwhile").execute()
    databases.nb.start()
    # Nobody waited for it any more.
    api.conn_add(*CONNECTION, psk="x").execute()
    assert api.conn_get("mercury", "to-venus").execute().peer_address == "1.0.0.3"
    assert databases.nb.rows("Container_Group") == []


def test_what_waits_behind_a_server_that_hangs_is_not_done(api: Any, databases: Databases) -> None:
    databases.nb.pause()
    for name in ("sent", "not-sent", "nor-this"):
        with (
            pytest.raises(exceptions.TimeoutException),
            api.transaction(timeout=0.2, log_errors=False),
        ):
            api.group_add(name).execute()
    with pytest.raises(WaitTimeout, match="the database did not answer"):
        api.wait_for_cfg(1, timeout=0.1)
    databases.nb.resume()
    api.group_add("last").execute()
    assert {row["name"] for row in databases.nb.rows("Container_Group")} <= {"sent", "last"}


def test_waiting_outlives_the_server(api: Any, databases: Databases) -> None:
    number = api.nb_cfg_increment().execute()
    waited: list[Exception | None] = []

    def wait() -> None:
        try:
            api.wait_for_cfg(number, timeout=20)
            waited.append(None)
        except Exception as error:
            waited.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    databases.nb.stop()
    databases.nb.start()
    databases.nb.update("SVC_Global", [], hv_cfg=number)
    thread.join()
    assert waited == [None]


@pytest.mark.parametrize(
    ("remote", "reason"),
    [
        ("unix:{}/nowhere.sock", "did not tell its schema within 0.2 s"),
        ("tcp:central:6651", "is not an IP address, and names are not resolved"),
        ("tcp:127.0.0.1", "has no port"),
    ],
)
def test_nobody_to_connect_to(remote: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(exceptions.OvsdbConnectionUnavailable, match=reason):
        connect(remote.format(tmp_path), timeout=0.2)


def test_a_server_that_hangs_is_left_in_time(databases: Databases) -> None:
    databases.nb.pause()
    with pytest.raises(exceptions.OvsdbConnectionUnavailable, match="schema"):
        connect(databases.nb.remote, timeout=0.2)
    databases.nb.resume()


def test_rows_are_found_whoever_changed_them(api: Any, databases: Databases) -> None:
    """Also when python-ovs has read all anew."""
    api.vpn_add(*VPN).execute()
    for restart in (False, True):
        if restart:
            databases.nb.stop()
            databases.nb.start()
        databases.nb.update("VPN_Service", [], name="venus", external_ips="1.0.0.7")
        wait_until(lambda: api.lookup("VPN_Service", "venus", default=None), "the new name")
        assert api.lookup("VPN_Service", "mercury", default=None) is None
        with pytest.raises(Refused, match=r"1\.0\.0\.7 is already used by VPN service venus"):
            api.vpn_add("mars", "other", "1.0.0.7", "10.0.0.0/8").execute(log_errors=False)
        databases.nb.update("VPN_Service", [], name="mercury")
        wait_until(lambda: api.lookup("VPN_Service", "mercury", default=None), "the old name")
    databases.nb.delete("VPN_Service")
    wait_until(lambda: api.vpn_list().execute() == [], "the row to go")
    assert api.vpn_del("mercury", if_exists=True).execute() is None
    assert not api.idl.index.find("VPN_Service", "name", "mercury")


def test_tls(databases: Databases) -> None:
    server = Tls(databases)
    _, key, _, certificate = server.own
    api = connect(server.remote, timeout=10, tls=(key, certificate, server.ca))
    api.group_add("g").execute()
    assert [row.name for row in api.group_list().execute()] == ["g"]
    api.close()
    with pytest.raises(exceptions.OvsdbConnectionUnavailable, match="/nono: No such file"):
        connect(server.remote, timeout=0.5, tls=(key, certificate, "/nono"))
    with pytest.raises(exceptions.OvsdbConnectionUnavailable, match="certificates are needed"):
        connect(server.remote, timeout=0.5)
    server.stop()


# -- errors -----------------------------------------------------------------------------


def test_errors_can_be_logged_instead(
    api: Any, databases: Databases, caplog: pytest.LogCaptureFixture
) -> None:
    assert api.vpn_del("venus").execute(check_error=False) is None
    assert "venus: VPN service not found" in caplog.text
    with api.transaction(check_error=False) as change:
        change.add(api.group_add("g"))
        change.add(api.vpn_del("mars"))
    assert "mars: VPN service not found" in caplog.text
    assert databases.nb.rows("Container_Group") == []


def test_what_the_server_refuses_is_raised(api: Any, databases: Databases) -> None:
    api.vpn_add(*VPN).execute()
    policy = api.ike_policy_add("p").execute()
    api.conn_add(*CONNECTION, psk="x", ike_policy="p").execute()
    with pytest.raises(RuntimeError, match="referential integrity violation"):
        api.db_destroy("IKE_Policy", policy.uuid).execute(log_errors=False)
    assert len(databases.nb.rows("IKE_Policy")) == 1


# -- secrets ------------------------------------------------------------------------------


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What is logged at any level, python-ovs's messages included, as Neutron has it."""
    caplog.set_level(logging.DEBUG)
    vlog.use_python_logger()
    yield caplog
    vlog.reset_logger()


def test_a_key_is_in_no_text(
    api: Any, told: pytest.LogCaptureFixture, databases: Databases
) -> None:
    api.watch_event(StatusEvent("IPsec_Connection", lambda row: None))

    class Foreign(event.RowEvent):  # type: ignore[misc]
        def run(self, event: str, row: Any, old: Any) -> None:
            pass

    api.watch_event(Foreign((RowEvent.ROW_CREATE, RowEvent.ROW_UPDATE), "IPsec_Connection", None))
    texts = []
    api.vpn_add(*VPN).execute()
    for command in (
        api.conn_add(*CONNECTION, psk=SECRET),
        api.conn_set("mercury", "to-venus", psk=f"{SECRET}!"),
        api.conn_add(*CONNECTION, psk=f"{SECRET}!", may_exist=True),
        api.db_set("IPsec_Connection", "to-venus", psk=SECRET),
        api.db_set("IPsec_Connection", "to-venus", ("psk", SECRET)),
        api.db_add("IPsec_Connection", "to-venus", "psk", SECRET),
        api.db_create("IPsec_Connection", name="c", psk=SECRET),
        api.container_add("echo-1", "echo", secret={"token": SECRET}),
        api.container_set("echo-1", secret={"token": f"{SECRET}!"}),
        api.db_add("Service_Container", "echo-1", "secret", {"more": SECRET}),
        api.db_set("Service_Container", "echo-1", secret={"more": SECRET}),
        api.db_find_rows("IPsec_Connection", ("psk", "=", SECRET)),
    ):
        texts += [str(command), repr(command), f"{command.execute()}", str(command)]
        texts.append(str(exceptions.TimeoutException(commands=[command], timeout=1, cause="")))
    for wrong in (
        api.conn_add("mercury", "to-mars", "1.0.0.4", "192.168.2.0/24", psk=SECRET),
        api.conn_add(*CONNECTION, psk=f"{SECRET}?", may_exist=True),
        api.conn_set("mercury", "to-venus", psk=SECRET + "x" * 1024),
        api.db_set("IPsec_Connection", "to-venus", psk=[SECRET, "2"]),
        api.db_set("IPsec_Connection", "to-venus", psk={SECRET: 1}),
        api.db_set("IPsec_Connection", "to-venus", psk=f"{SECRET}\0"),
        api.container_set("echo-1", secret={"token": f"{SECRET}\0"}),
    ):
        with pytest.raises(Refused) as caught:
            wrong.execute()
        texts += [str(caught.value), str(wrong)]
    texts += [str(row) for row in api.db_list_rows("IPsec_Connection").execute()]
    texts += [str(api.lookup("IPsec_Connection", "to-venus"))]
    databases.nb.update("IPsec_Connection", [], status="down")
    wait_until(lambda: "status='down'" in told.text or "down" in told.text, "the event")
    assert "Running txn" in told.text
    assert "Matched UPDATE" in told.text
    assert "psk" in told.text
    assert SECRET not in told.text
    assert SECRET not in "".join(texts)
    assert idlutils.row2str(api.lookup("VPN_Service", "mercury")).startswith("VPN_Service(uuid=")


# -- events and waiting ---------------------------------------------------------------------


def test_status_events(api: Any, databases: Databases) -> None:
    seen: list[tuple[str, str]] = []
    api.vpn_add(*VPN).execute()
    watching = StatusEvent("VPN_Service", lambda row: seen.append((row.name, "".join(row.status))))
    api.watch_event(watching)
    databases.nb.update("VPN_Service", [], status="down", status_message="no answer")
    databases.nb.update("VPN_Service", [], external_ids=["map", [["a", "b"]]])
    databases.nb.update("VPN_Service", [], status="up")
    wait_until(lambda: len(seen) == 2, "two events")
    api.unwatch_event(watching)
    databases.nb.update("VPN_Service", [], status="error")
    assert api.wait_for_status("mercury", status=("error", "down"), timeout=10) == "error"
    assert seen == [("mercury", "down"), ("mercury", "up")]


def test_two_who_wait_for_the_same(api: Any, databases: Databases) -> None:
    waits = [WaitEvent("VPN_Service", lambda row: row.name == "mercury", 10) for _ in range(2)]
    never = WaitEvent("VPN_Service", lambda row: row.name == "venus", 0.01)
    for each in (*waits, never):
        api.watch_event(each)
    api.vpn_add(*VPN).execute()
    assert [each.wait() for each in waits] == [True, True]
    assert not never.wait()


def test_what_does_not_come_is_told(api: Any, databases: Databases) -> None:
    api.vpn_add(*VPN).execute()
    api.conn_add(*CONNECTION, psk="x").execute()
    number = api.nb_cfg_increment().execute()
    databases.nb.update("SVC_Global", [], sb_cfg=number)
    api.wait_for_cfg(number, "sb", timeout=10)
    databases.nb.update("IPsec_Connection", [], status="down", status_message="no answer")
    api.wait_for_status("mercury", "to-venus", "down", timeout=10)
    cases: list[tuple[Callable[[], Any], str]] = [
        (lambda: api.wait_for_cfg(number, timeout=0.01), "hv_cfg is 0, not 1, after 0.01 s"),
        (
            lambda: api.wait_for_status("mercury", "to-venus", timeout=0.01),
            "mercury/to-venus is down (no answer), not up, after 0.01 s",
        ),
        (
            lambda: api.wait_for_status("mercury", timeout=0.01),
            "mercury is without a status, not up, after 0.01 s",
        ),
        (
            lambda: api.wait_for_status("mars", status=["up", "partial"], timeout=0.01),
            "mars is without a status (mars: VPN service not found), not partial or up, after",
        ),
    ]
    for call, reason in cases:
        with pytest.raises(WaitTimeout) as caught:
            call()
        assert reason in str(caught.value)


# -- the README, and what is needed ----------------------------------------------------------


def _read_lines() -> str:
    text = (ROOT / "README.rst").read_text(encoding="utf-8")
    part = text.partition("\nFrom Python\n")[2]
    indented = part.partition("::\n\n")[2].partition("\n\nMethods have")[0]
    return textwrap.dedent(indented)


def test_the_lines_of_the_readme_make_a_vpn(router_cloud: Cloud, tmp_path: Path) -> None:
    """And again, the same; what is refused is said in a line."""
    (tmp_path / "FILE").write_text(f"{SECRET}\n")
    lines = _read_lines().replace("unix:/run/ovnsvc/svcnb_db.sock", router_cloud.nb.remote)
    for _ in range(2):
        assert _run_lines(router_cloud, tmp_path, lines) == ("up\n", "", 0)
    [connection] = router_cloud.nb.rows("IPsec_Connection")
    assert connection["psk"] == SECRET
    out, err, status = _run_lines(router_cloud, tmp_path, lines.replace("192.168.2.0", "1.2.3"))
    assert (out, status) == ("", 1)
    assert err.startswith("nothing is written: to-venus: peer subnet: 1.2.3/24 is not a subnet")
    assert len(err.splitlines()) == 1


def _run_lines(cloud: Cloud, directory: Path, lines: str) -> tuple[str, str, int]:
    """Runs a program; returns what it prints, and its exit status.  Tunnels come up meanwhile."""
    program = subprocess.Popen(
        [sys.executable, "-c", lines.replace("from ovnsvc.", f"from {ROOT.name}.")],
        cwd=directory,
        env={"PYTHONPATH": str(ROOT.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def ended() -> bool:
        for row in cloud.nb.rows("IPsec_Connection"):
            for chassis in cloud.chassis.values():
                if chassis.containers:
                    chassis.report_tunnel(row["_uuid"][1])
        return program.poll() is not None

    cloud.wait_for(ended, "the program to end")
    out, err = program.communicate()
    return out, err, program.returncode


def test_it_needs_nothing_that_only_a_daemon_needs(tmp_path: Path) -> None:
    for name in ("nacl", "pyroute2", "vici"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name} is not there')\n")
    subprocess.run(
        [sys.executable, "-c", f"import {ROOT.name}.northbound"],
        env={"PYTHONPATH": f"{tmp_path}:{ROOT.parent}"},
        check=True,
    )
