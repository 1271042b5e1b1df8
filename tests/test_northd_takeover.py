"""Two real svc-northds: the active one is stopped or killed, and the other takes over."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ovs.unixctl.client
import pytest

from .cloud import Cloud, make_vpn_cloud
from .logs import Logs
from .ovsdb import Database, Databases, wait_until


class Process:
    """A real svc-northd."""

    def __init__(self, directory: Path, name: str, remotes: dict[str, str]) -> None:
        self._control = directory / f"{name}.ctl"
        self._log = directory / f"{name}.log"
        command = [
            *("setpriv", "--pdeathsig", "KILL", "--"),
            # As it is installed: what entry points name is of that package.
            *(sys.executable, "-m", "ovnsvc.northd.main"),
            *("-vconsole:off", "-vsyslog:off", "-vfile:info"),
            *(f"--unixctl={self._control}", f"--log-file={self._log}"),
            *(f"--{option}={remote}" for option, remote in remotes.items()),
        ]
        environment = {**os.environ, "SVC_RUNDIR": str(directory), "SVC_LOGDIR": str(directory)}
        self._process = subprocess.Popen(command, env=environment)
        wait_until(self._listens, f"{name} to start")

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

    def _listens(self) -> bool:
        """Whether it takes commands; the socket is there a little earlier."""
        error, client = ovs.unixctl.client.UnixctlClient.create(str(self._control))
        if not error:
            client.close()
        return not error

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
        for row in dump["nb"]["SVC_Global"]:
            # One that was started just now does not know who has counted what it read.
            row.pop("content_cfg"), row.pop("_version")
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
    made = make_vpn_cloud(databases, logs)
    yield made
    made.northd.close()


@pytest.fixture(params=["unix", "tcp"])
def site(cloud: Cloud, request: pytest.FixtureRequest) -> Iterator[Site]:
    cloud.northd.close()
    made = Site(cloud, request.param)
    yield made
    for process in made.processes:
        process.stop()


def test_one_that_is_stopped_is_relieved_and_stands_by_when_it_goes_on(site: Site) -> None:
    cloud = site.cloud
    first, second = site.start_two()
    site.wait_for(lambda: _is_served(cloud), "the VPN to be served")
    assert (first.status, second.status) == ("active", "standby")
    both = (first, second)
    site.wait_for(lambda: {each.ask("is-ready") for each in both} == {"true\n"}, "both to work")
    place = cloud.find(cloud.sb, "Container_Binding")
    first.signal(signal.SIGSTOP)
    site.wait_for(lambda: second.status == "active", "the second to take over")
    cloud.nb.transact(
        {"op": "mutate", "table": "SVC_Global", "where": [], "mutations": [["nb_cfg", "+=", 1]]}
    )
    cloud.add_connection(
        cloud.find(cloud.nb, "VPN_Service")["_uuid"][1],
        "to-mars",
        peer_address="1.0.0.4",
        peer_subnets="192.168.3.0/24",
    )
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
    assert "Active: " not in second.ask("status") or f"pid {first.pid}," in second.ask("status")
    assert cloud.find(cloud.sb, "Northd")["pid"] == first.pid
    first.signal(signal.SIGKILL)
    site.wait_for(lambda: second.status == "active", "the second to follow the first")
    assert second.read_log().count("relieving it") == 1, "the server had it in the queue again"
    assert cloud.find(cloud.sb, "Container_Binding")["chassis"] == place["chassis"]


def test_one_that_is_killed_is_followed_at_once(site: Site) -> None:
    cloud = site.cloud
    first, second = site.start_two()
    site.wait_for(lambda: _is_served(cloud), "the VPN to be served")
    before = site.find_moved()
    first.signal(signal.SIGKILL)
    site.wait_for(lambda: second.status == "active", "the second to take over")
    beats = cloud.find(cloud.sb, "Northd")["heartbeat"] + 2
    site.wait_for(lambda: cloud.find(cloud.sb, "Northd")["heartbeat"] >= beats, "two beats")
    assert site.find_moved() == before
    assert "relieving" not in second.read_log(), "the server freed the lock"
    answer = second.ask("status")
    assert f"pid {second.pid}, " in answer
    assert second.ask("ovnsb-connection-status").startswith("not connected\nunix:")
    assert second.ask("is-ready") == "true\n"
    measured = second.ask("stopwatch/show")
    assert "Statistics for 'en_placement'" in measured, "each node is measured"
    assert "Statistics for 'svc-northd-loop'" in measured
    assert "rows-ovn:" in second.ask("memory/show")


def _is_served(cloud: Cloud) -> bool:
    rows = cloud.nb.rows("Service_Container")
    policies = cloud.ovn.rows("Logical_Router_Policy", [["action", "==", "reroute"]])
    connections = cloud.nb.rows("IPsec_Connection")
    installed = {row["state"] for row in cloud.sb.rows("Redirect_Flow")} == {"installed"}
    running = [row["status_code"] for row in rows] == ["running"]
    return len(policies) == len(connections) and running and installed


def _is_acknowledged(cloud: Cloud, number: int) -> bool:
    rows = cloud.nb.rows("SVC_Global")
    return [(row["sb_cfg"], row["hv_cfg"]) for row in rows] == [(number, number)]
