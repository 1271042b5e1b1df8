"""Which svc-northd is active; nothing is lost, moved or done twice when another takes over."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import ovs.unixctl.client
import pytest

from ..lib import sb, schema
from ..lib.idl import Session
from ..lib.nb import IPsecConnection
from ..northd import active, beat
from ..northd.northd import Northd
from .cloud import Cloud
from .logs import Logs
from .ovsdb import Database, Databases, wait_until

ROOT = Path(__file__).resolve().parents[1]
RELIEVED = "the active svc-northd, .* does nothing any more; relieving it"


class Process:
    """A real svc-northd."""

    def __init__(self, directory: Path, name: str, remotes: dict[str, str]) -> None:
        self._control = directory / f"{name}.ctl"
        self._log = directory / f"{name}.log"
        command = [
            *("setpriv", "--pdeathsig", "KILL", "--"),
            *(sys.executable, "-m", f"{ROOT.name}.northd.main"),
            *("-vconsole:off", "-vsyslog:off", "-vfile:info"),
            *(f"--unixctl={self._control}", f"--log-file={self._log}"),
            *(f"--{option}={remote}" for option, remote in remotes.items()),
        ]
        environment = {**os.environ, "SVC_RUNDIR": str(directory), "SVC_LOGDIR": str(directory)}
        self._process = subprocess.Popen(command, cwd=ROOT.parent, env=environment)
        wait_until(self._control.exists, f"{name} to start")

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: int) -> None:
        """Sends a signal; after SIGKILL the process is gone."""
        self._process.send_signal(number)
        if number == signal.SIGKILL:
            self._process.wait()

    def ask(self, command: str) -> str:
        """Returns what a runtime command says."""
        error, client = ovs.unixctl.client.UnixctlClient.create(str(self._control))
        assert not error, os.strerror(error)
        error, problem, answer = client.transact(command, [])
        client.close()
        assert not error, os.strerror(error)
        assert problem is None, problem
        return str(answer)

    @property
    def status(self) -> str:
        return self.ask("status").splitlines()[0].removeprefix("Status: ")

    def read_log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def stop(self) -> None:
        if self._process.poll() is None:
            self.signal(signal.SIGKILL)


class Site:
    """Databases and chassis, with real svc-northds."""

    def __init__(self, cloud: Cloud, protocol: str) -> None:
        self.cloud = cloud
        databases = cloud.databases
        find = _find_remote if protocol == "unix" else _open_port
        self._remotes = {
            "svcnb-db": find(databases.nb),
            "svcsb-db": find(databases.sb),
            "ovnnb-db": find(databases.ovn_nb),
            "ovnsb-db": f"unix:{databases.directory}/none.sock",
        }
        self.processes: list[Process] = []

    def start(self, name: str) -> Process:
        """Returns another svc-northd, which knows whether it is the active one."""
        process = Process(self.cloud.databases.directory, name, self._remotes)
        self.processes.append(process)
        return process

    def start_two(self) -> tuple[Process, Process]:
        """Returns the active one and the one that stands by."""
        first = self.start("first")
        self.wait_for(lambda: first.status == "active", "the first to be active")
        second = self.start("second")
        self.wait_for(lambda: "pid" in second.ask("status"), "the second to see the first")
        return first, second

    def wait_for(self, condition: Callable[[], Any], what: str) -> None:
        """Lets the chassis live until 'condition' holds."""

        def stepped() -> Any:
            for chassis in self.cloud.chassis.values():
                chassis.step()
            return condition()

        wait_until(stepped, what)

    def find_moved(self) -> list[str]:
        """Returns what the svc-northds wrote, with the version of each row."""
        dump = self.cloud.dump()
        for row in dump["sb"]["Chassis_Private"]:
            row.pop("nb_cfg")
        return [f"{name} {table}: {dump[name][table]}" for name in dump for table in dump[name]]


def _find_remote(database: Database) -> str:
    return database.remote


def _open_port(database: Database) -> str:
    """Makes the server listen on a port as well and returns how to reach it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    control = f"{database.directory}/{database.name}.ctl"
    add = ("ovsdb-server/add-remote", f"ptcp:{port}:127.0.0.1")
    subprocess.run(["ovs-appctl", "-t", control, *add], check=True)
    return f"tcp:127.0.0.1:{port}"


@pytest.fixture
def cloud(databases: Databases, logs: Logs) -> Iterator[Cloud]:
    made = Cloud(databases, logs)
    made.add_chassis("hv1", "hv2", "hv3")
    made.add_router("tenant-router")
    vpn = made.add_vpn("mercury", "tenant-router")
    made.add_connection(vpn, "to-venus")
    yield made
    made.northd.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes beats and patience short, so that no test waits for seconds."""
    monkeypatch.setattr(beat, "LEAST_PATIENCE_MS", 700)
    monkeypatch.setattr(active, "BEAT_INTERVAL_MS", 50)


@pytest.fixture(params=["unix", "tcp"])
def site(cloud: Cloud, request: pytest.FixtureRequest) -> Iterator[Site]:
    cloud.northd.close()
    made = Site(cloud, request.param)
    yield made
    for process in made.processes:
        process.stop()


def _find_status(cloud: Cloud) -> str:
    status: str = cloud.find(cloud.nb, "Service_Container")["status_code"]
    return status


def _find_gap(started: float) -> None:
    print(f"took over after {time.monotonic() - started:.2f} s")


# -- real processes ----------------------------------------------------------


def test_one_that_is_stopped_is_relieved_and_stands_by_when_it_goes_on(site: Site) -> None:
    cloud = site.cloud
    first, second = site.start_two()
    site.wait_for(lambda: _is_served(cloud), "the VPN to be served")
    assert (first.status, second.status) == ("active", "standby")
    place = cloud.find(cloud.sb, "Container_Binding")
    first.signal(signal.SIGSTOP)
    started = time.monotonic()
    site.wait_for(lambda: second.status == "active", "the second to take over")
    _find_gap(started)
    cloud.nb.transact(
        {"op": "mutate", "table": "SVC_Global", "where": [], "mutations": [["nb_cfg", "+=", 1]]}
    )
    cloud.add_connection(cloud.find(cloud.nb, "VPN_Service")["_uuid"][1], "to-mars",
                         peer_address="1.0.0.4", peer_subnets="192.168.3.0/24")
    site.wait_for(lambda: _is_acknowledged(cloud, 1) and _is_served(cloud), "the change")
    assert cloud.find(cloud.sb, "Northd")["pid"] == second.pid
    assert cloud.find(cloud.sb, "Container_Binding")["chassis"] == place["chassis"]
    before = site.find_moved()
    first.signal(signal.SIGCONT)
    site.wait_for(lambda: first.status == "standby", "the first to stand by")
    site.wait_for(lambda: "standby: " in first.read_log(), "the first to know of it")
    assert site.find_moved() == before
    assert second.status == "active"
    assert "relieving" not in first.read_log()
    # The other way round, and it is the same process again.
    second.signal(signal.SIGSTOP)
    site.wait_for(lambda: first.status == "active", "the first to take over again")
    second.signal(signal.SIGCONT)
    site.wait_for(lambda: second.status == "standby", "the second to stand by again")
    assert cloud.find(cloud.sb, "Northd")["pid"] == first.pid
    assert cloud.find(cloud.sb, "Container_Binding")["chassis"] == place["chassis"]


def test_one_that_is_killed_is_followed_at_once(site: Site) -> None:
    cloud = site.cloud
    first, second = site.start_two()
    site.wait_for(lambda: _is_served(cloud), "the VPN to be served")
    before = site.find_moved()
    first.signal(signal.SIGKILL)
    started = time.monotonic()
    site.wait_for(lambda: second.status == "active", "the second to take over")
    _find_gap(started)
    beats = cloud.find(cloud.sb, "Northd")["heartbeat"] + 2
    site.wait_for(lambda: cloud.find(cloud.sb, "Northd")["heartbeat"] >= beats, "two beats")
    assert site.find_moved() == before
    assert "relieving" not in second.read_log(), "the server freed the lock"
    answer = second.ask("status")
    assert f"pid {second.pid}, " in answer
    assert second.ask("ovnsb-connection-status") == "not connected\n"


# -- in this process ---------------------------------------------------------


def _run_until(cloud: Cloud, condition: Callable[[], Any], what: str, *northds: Northd) -> None:
    def stepped() -> Any:
        cloud.step(*northds)
        return condition()

    wait_until(stepped, what)


def _receive(each: Session | Northd, condition: Callable[[], Any], what: str) -> None:
    """Runs one session, or one svc-northd without chassis, until 'condition' holds."""

    def received() -> Any:
        each.run()
        return condition()

    wait_until(received, what)


def _close(cloud: Cloud, *northds: Northd) -> None:
    """Closes all but 'cloud.northd', which must find everything as it should be."""
    for northd in northds:
        northd.close()
    cloud.laws()


@pytest.mark.usefixtures("quick")
def test_one_that_takes_over_changes_nothing(cloud: Cloud, logs: Logs) -> None:
    logs.allow(RELIEVED)
    first, second = cloud.northd, cloud.start_northd()
    cloud.settle(first, second)
    before = cloud.dump()
    _run_until(cloud, lambda: second.active, "the second to take over", second)
    assert first.active, "it has not looked yet"
    cloud.settle(second)
    assert cloud.dump() == before
    cloud.settle(first, second)
    assert (first.active, second.active) == (False, True)
    assert cloud.dump() == before
    assert not first.nb.has_lock
    assert not first.ovn.has_lock
    cloud.northd = second
    _close(cloud, first)


@pytest.mark.usefixtures("quick")
def test_one_that_was_stopped_in_the_middle_of_a_pass_writes_nothing(
    cloud: Cloud, logs: Logs
) -> None:
    logs.allow(RELIEVED)
    first, second = cloud.northd, cloud.start_northd()
    cloud.settle(first, second)
    vpn = cloud.find(cloud.nb, "VPN_Service")["_uuid"][1]
    cloud.add_connection(vpn, "to-mars", peer_address="1.0.0.4", peer_subnets="192.168.3.0/24")
    _receive(first.nb, lambda: len(first.nb.rows(IPsecConnection)) == 2, "the connection")
    _run_until(cloud, lambda: second.active, "the second to take over", second)
    cloud.settle(second)
    before = cloud.dump()
    assert first.active, "it has not looked yet"
    first._compile()
    assert [session.committing for session in first.sessions.values()] == [True, True, True]
    cloud.settle(first, second)
    assert cloud.dump() == before
    cloud.northd = second
    _close(cloud, first)


@pytest.mark.usefixtures("quick")
def test_of_two_that_wait_one_takes_over_and_keeps_it(cloud: Cloud, logs: Logs) -> None:
    logs.allow(RELIEVED)
    first, *waiting = cloud.northd, cloud.start_northd(), cloud.start_northd()
    cloud.settle(first, *waiting)
    before = cloud.dump()
    _run_until(cloud, lambda: _find_active(waiting), "one of two to take over", *waiting)
    cloud.settle(*waiting)
    [leader] = _find_active(waiting)
    row = cloud.find(cloud.sb, "Northd")
    assert row["incarnation"] == leader.candidate.incarnation
    most = row["heartbeat"] + 40
    _run_until(
        cloud,
        lambda: cloud.find(cloud.sb, "Northd")["heartbeat"] > most,
        "more beats than the patience is long",
        *waiting,
    )
    assert _find_active(waiting) == [leader]
    assert cloud.find(cloud.sb, "Northd")["since"] == row["since"], "it was not relieved meanwhile"
    thefts = [text for _, _, text in logs.messages if "relieving" in text]
    assert len(thefts) <= 2
    assert cloud.dump() == before
    cloud.northd = leader
    _close(cloud, first, *(each for each in waiting if each is not leader))


def _find_active(northds: list[Northd]) -> list[Northd]:
    return [northd for northd in northds if northd.active]


@pytest.mark.usefixtures("quick")
def test_one_that_hangs_before_its_first_beat_is_relieved(cloud: Cloud, logs: Logs) -> None:
    logs.allow(RELIEVED)
    cloud.northd.close()
    hung = Session(
        cloud.sb.remote, schema.SOUTHBOUND, [sb.Northd], lock=active.LOCK,
        schema=schema.load(schema.SOUTHBOUND),
    )
    _receive(hung, lambda: hung.has_lock, "the lock")
    cloud.northd = cloud.start_northd()
    assert cloud.sb.rows("Northd") == []
    cloud.settle()
    _close(cloud)
    hung.close()


@pytest.mark.usefixtures("quick")
def test_the_locks_of_the_northbounds_are_left_to_one_of_another_southbound(
    cloud: Cloud, logs: Logs
) -> None:
    """A svc-northd that was given a wrong southbound harms nobody."""
    cloud.settle()
    directory = cloud.databases.directory / "other"
    directory.mkdir()
    other = Database(directory, schema.SOUTHBOUND)
    try:
        wrong = Northd(cloud.nb.remote, other.remote, cloud.ovn.remote)
        before = cloud.dump()
        _run_until(cloud, lambda: wrong.ovn.contended, "its answer", cloud.northd, wrong)
        beats = cloud.find(other, "Northd")["heartbeat"] + 5
        _run_until(
            cloud,
            lambda: cloud.find(other, "Northd")["heartbeat"] > beats,
            "some beats",
            cloud.northd,
            wrong,
        )
        assert (cloud.northd.active, wrong.active) == (True, False)
        assert cloud.dump() == before
        _close(cloud, wrong)
    finally:
        other.stop()


@pytest.mark.usefixtures("quick")
def test_one_that_is_paused_gives_way_and_relieves_nobody(cloud: Cloud, logs: Logs) -> None:
    first, second = cloud.northd, cloud.start_northd()
    cloud.settle(first, second)
    place = cloud.find(cloud.sb, "Container_Binding")["chassis"]
    vpn = cloud.find(cloud.nb, "VPN_Service")["_uuid"][1]
    cloud.add_connection(vpn, "to-mars", peer_subnets="192.168.3.0/24")
    # In the middle of a transaction, which may still go through.
    _receive(first, lambda: first.ovn.committing, "a transaction")
    first.set_paused(True)
    assert not first.active
    _run_until(cloud, lambda: second.active, "the second to be active", first, second)
    cloud.settle(first, second)
    assert cloud.find(cloud.sb, "Container_Binding")["chassis"] == place
    # The second hangs; a paused one leaves it at that.
    row = cloud.find(cloud.sb, "Northd")
    end = time.monotonic() + 1
    _run_until(cloud, lambda: time.monotonic() > end, "more than the patience", first)
    assert cloud.find(cloud.sb, "Northd") == row
    assert logs.find_warnings() == []
    logs.allow(RELIEVED)
    first.set_paused(False)
    _run_until(cloud, lambda: first.active, "the first to take part again", first)
    _close(cloud, second)


@pytest.mark.usefixtures("quick")
def test_one_that_takes_over_during_a_failover_knows_who_is_dead(
    cloud: Cloud, logs: Logs
) -> None:
    logs.allow(RELIEVED)
    logs.allow("chassis hv. is dead: its heartbeat stopped")
    cloud.nb.insert("SVC_Global", options=["map", [["chassis-dead-after", "500"]]])
    first, second = cloud.northd, cloud.start_northd()
    cloud.settle(first, second)
    place = cloud.find(cloud.sb, "Container_Binding", role="active")["chassis"]
    cloud.chassis[place].alive = False
    _run_until(
        cloud, lambda: not second.engine.get("alive")[place].alive, "the death to be seen", second
    )
    assert not second.active
    _run_until(cloud, lambda: second.active, "the second to take over", second)
    _run_until(
        cloud,
        lambda: cloud.find(cloud.sb, "Container_Binding", role="active")["chassis"] != place,
        "the container to be moved",
        second,
    )
    alive = {name: verdict.alive for name, verdict in second.engine.get("alive").items()}
    assert alive == {name: name != place for name in cloud.chassis}
    cloud.northd = second
    _close(cloud, first)


def test_a_beat_computes_nothing(cloud: Cloud) -> None:
    cloud.settle()
    engine = cloud.northd.engine
    stats = {name: each.compute for name, each in engine.stats().items()}
    clock = engine.get("clock")
    assert clock
    beats = cloud.find(cloud.sb, "Northd")["heartbeat"] + 2

    def beat_twice() -> bool:
        cloud.northd.run()
        assert cloud.northd.settled
        return bool(cloud.find(cloud.sb, "Northd")["heartbeat"] >= beats)

    wait_until(beat_twice, "two beats")
    assert {name: each.compute for name, each in engine.stats().items()} == stats
    assert engine.get("clock") == clock
    cloud.laws()


def test_ports_of_a_group_are_followed_while_a_group_is_used(
    cloud: Cloud, logs: Logs, databases: Databases
) -> None:
    ovn_sb = Database(databases.directory, "OVN_Southbound", "/usr/share/ovn/ovn-sb.ovsschema")
    cloud.northd.close()
    cloud.northd = Northd(cloud.nb.remote, cloud.sb.remote, cloud.ovn.remote, ovn_sb.remote)
    cloud.settle()
    assert [cloud.northd.ports.connected] == [False]
    for name in ("hv1", "hv2"):
        _bind_port(ovn_sb, name)
    ports = ["set", ["port-hv1", "unheard-of"]]
    group = cloud.nb.insert("Port_Group", name="web", ports=ports)
    other = cloud.nb.insert("Container_Group", name="gold", port_group=["uuid", group])
    uuid = UUID(group)

    def find() -> Any:
        return cloud.northd.engine.get("port_group").get(uuid)

    cloud.wait_for(lambda: find() == {"hv1"}, "the chassis of the port")
    assert [cloud.northd.ports.connected] == [True]
    cloud.nb.update("Port_Group", [], ports=["set", ["port-hv1", "port-hv2"]])
    cloud.wait_for(lambda: find() == {"hv1", "hv2"}, "the chassis of both")
    ovn_sb.update("Port_Binding", [["logical_port", "==", "port-hv1"]], up=False)
    cloud.wait_for(lambda: find() == {"hv2"}, "the port to be down")
    logs.allow(r"OVN_Southbound\.sock: (connection (attempt failed|closed by peer)|.*error)")
    ovn_sb.stop()
    cloud.wait_for(lambda: not cloud.northd.ports.connected, "the loss of the connection")
    cloud.settle()
    assert find() == {"hv2"}, "what was last read counts"
    cloud.nb.update("Port_Group", [], ports="port-hv3")
    cloud.wait_for(lambda: find() is None, "the group not to be known")
    ovn_sb.start()
    _bind_port(ovn_sb, "hv3")
    cloud.wait_for(lambda: find() == {"hv3"}, "the connection")
    cloud.nb.delete("Container_Group", [["_uuid", "==", ["uuid", other]]])
    cloud.wait_for(lambda: find() is None, "the group to be forgotten")
    assert not cloud.northd.ports.connected
    cloud.laws()
    ovn_sb.stop()


def _bind_port(ovn_sb: Database, chassis: str) -> None:
    """Adds to OVN_Southbound a chassis and a port on it that is up."""
    encap = {"type": "geneve", "ip": chassis, "chassis_name": chassis}
    port = {
        "logical_port": f"port-{chassis}",
        "datapath": ["named-uuid", "datapath"],
        "tunnel_key": len(ovn_sb.rows("Port_Binding")) + 1,
        "chassis": ["named-uuid", "chassis"],
        "up": True,
    }
    number = 1 + len(ovn_sb.rows("Datapath_Binding"))
    tables = (
        ("Encap", "encap", encap),
        ("Chassis", "chassis", {"name": chassis, "encaps": ["named-uuid", "encap"]}),
        ("Datapath_Binding", "datapath", {"tunnel_key": number}),
        ("Port_Binding", "port", port),
    )
    ovn_sb.transact(
        *(
            {"op": "insert", "table": table, "uuid-name": uuid, "row": row}
            for table, uuid, row in tables
        )
    )


def _is_served(cloud: Cloud) -> bool:
    rows = cloud.nb.rows("Service_Container")
    policies = cloud.ovn.rows("Logical_Router_Policy", [["action", "==", "reroute"]])
    connections = cloud.nb.rows("IPsec_Connection")
    return len(policies) == len(connections) and [row["status_code"] for row in rows] == ["running"]


def _is_acknowledged(cloud: Cloud, number: int) -> bool:
    rows = cloud.nb.rows("SVC_Global")
    return [(row["sb_cfg"], row["hv_cfg"]) for row in rows] == [(number, number)]
