"""Service types of somebody else in a whole cloud: wheels, installed outside of the tree.

One works and one fails in the method that a test names.  Beside them is the VPN of another tenant,
all on hv3, which must not lose a packet whatever happens to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ...utilities.lab import central, cloud, process, traffic
from ...utilities.lab.errors import LabError
from ...utilities.lab.tenant import ROUTER
from ..wheels import build_wheel, install_wheel
from .scene import ASIDE, OTHER
from .site import Operator

NAME = "hello"
BROKEN = "trouble"
TOKEN = "open-sesame-4711"
ADDRESS = "1.0.0.150"
DESTINATION = "192.168.99.0/24"
TARGET = "192.168.99.42"
KEPT = "still as configured before: "
# Through both is what a mistake of a type may reach: the programs, and the rows of others.
FAILING = (
    *("compile.compile", "host.plan", "host.create"),
    *("service.apply", "service.run", "service.wait", "service.status"),
)
CLIENT = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[3])), timeout=2) as client:
    file = client.makefile("rw")
    file.write(sys.argv[2] + "\\n")
    file.flush()
    greeting = file.readline()
    file.write("ping\\n")
    file.flush()
    print(greeting.strip(), file.readline().strip())
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the packages 'echo' and 'broken' are installed."""
    folder = tmp_path_factory.mktemp("packages")
    for name in ("echo", "broken"):
        install_wheel(build_wheel(name, tmp_path_factory.mktemp("wheel")), folder)
    return folder


class Cloud:
    """The lab with these types, a VPN that is pinged, and what is asked of a container."""

    def __init__(self, operator: Operator, packages: Path) -> None:
        self.operator = operator
        self.packages = packages
        self.token_file = operator.psk_file.with_name("token")
        self.token_file.write_text(TOKEN)
        self.operator.environment["PYTHONPATH"] = str(packages)

    # -- the types, and what is beside them --------------------------------

    def begin(self) -> None:
        """Starts the VPN and its ping, and then every daemon of ours again, with the types."""
        operator = self.operator
        operator.svcctl(
            *("vpn-add", "mars", OTHER.router, OTHER.external, OTHER.subnet),
            *("--", "conn-add", "mars", "to-mars", OTHER.site_address, OTHER.site_subnet),
            f"--psk-file={operator.psk_file}",
        )
        (vpn,) = operator.wait(
            lambda: operator.rows("SVC_Northbound", "Service_Container"), "its container"
        )
        operator.svcctl("container-pin", vpn["name"], ASIDE)
        operator.wait(lambda: operator.find_chassis() == ASIDE, f"{vpn['name']} on {ASIDE}")
        traffic.wait_reachable(operator.lab, "vm3", OTHER.site_host, 60)
        self.ping = operator.ping("vm3", target=OTHER.site_host)
        self.ping.wait_answers(10)
        self.set_packages(str(self.packages))
        operator.wait(self._has_offers, "every chassis to offer both types")

    def _has_offers(self) -> bool:
        rows = self.operator.rows("SVC_Southbound", "Chassis")
        return all({"echo", "broken"} <= read_set(row["service_types"]) for row in rows)

    def set_packages(self, folders: str) -> None:
        """Starts every daemon of ours again, with Python packages in 'folders'."""
        lab = self.operator.lab
        hosts = {lab.get_host("central"): central.list_northds(lab.get_host("central"))}
        hosts |= {host: ("svc-controller",) for host in lab.list_chassis()}
        for host, names in hosts.items():
            host.create(host.settings | {"packages": folders})
            for name in names:
                cloud.kill_process(host, name)
                cloud.start_process(host, name)

    def end(self) -> None:
        """Removes the containers and the types."""
        (self.packages / "ovnsvc_broken" / "methods").unlink(missing_ok=True)
        for name in (NAME, BROKEN):
            self.operator.svcctl("--if-exists", "container-del", name)
        self.operator.wait_whole()
        self.operator.wait(lambda: not self.bindings(NAME, BROKEN), "no container of the types")
        self.set_packages("")

    def check_other(self) -> None:
        """Holds the VPN's loss to none."""
        self.ping.wait_answers(10)
        assert self.ping.stop().lost == 0, "packets of an unrelated VPN"

    # -- a container -------------------------------------------------------

    def add(self, **settings: str) -> None:
        """Adds the echo server; returns when it runs."""
        whole = {"router": ROUTER, "address": ADDRESS, "destination": DESTINATION, **settings}
        words = (f"{key}={value}" for key, value in whole.items())
        secret = f"--secret=token={self.token_file}"
        self.operator.svcctl("--wait=hv", "container-add", NAME, "echo", *words, secret)
        self.wait_running()

    def wait_running(self) -> None:
        waited = ("wait-until", "Service_Container", NAME, "status_code=running")
        self.operator.svcctl(*waited)

    def row(self, name: str = NAME) -> dict[str, Any]:
        where = ["name", "==", name]
        (row,) = self.operator.rows("SVC_Northbound", "Service_Container", where)
        return row

    def bindings(self, *names: str) -> list[dict[str, Any]]:
        rows = self.operator.rows("SVC_Southbound", "Container_Binding")
        return [row for row in rows if row["container"] in names]

    def find_problem(self) -> str:
        """Returns what svc-northd tells of itself."""
        return str(self.operator.rows("SVC_Southbound", "Northd")[0]["problem"])

    def find_chassis(self) -> str:
        return str(self.row()["chassis"])

    def wait_message(self, sentence: str, name: str = NAME) -> None:
        self.operator.wait(lambda: sentence in self.row(name)["status_message"], sentence)

    def write(self, **columns: Any) -> None:
        """Writes the echo server's row around svcctl."""
        where = [["name", "==", NAME]]
        operation = {"op": "update", "table": "Service_Container", "where": where, "row": columns}
        self.operator.transact("SVC_Northbound", operation)

    def find_pids(self) -> list[int]:
        """Returns the pids of the echo server, wherever it runs."""
        return [
            pid
            for pid in process.list_pids()
            if str(self.packages / "ovnsvc_echo" / "server.py") in process.read_cmdline(pid)
        ]

    def ask(self, token: str = TOKEN, address: str = TARGET) -> str:
        """Returns what a client in a guest gets: the greeting and its line, "" for nothing."""
        words = ("python3", "-c", CLIENT, address, token, "7")
        try:
            command = traffic.find_command(self.operator.lab, "vm1", *words)
            return process.run(command, timeout_s=10).strip()
        except LabError:
            return ""

    def wait_answer(self, answer: str) -> None:
        self.operator.wait(lambda: self.ask() == answer, f"the answer {answer}", 60)


@pytest.fixture
def scene(operator: Operator, packages: Path) -> Iterator[Cloud]:
    """A VPN that is pinged; every daemon knows both types."""
    made = Cloud(operator, packages)
    try:
        made.begin()
        yield made
    finally:
        made.end()


def read_set(value: Any) -> set[str]:
    """Returns the members of a set of OVSDB's JSON."""
    return set(value[1]) if isinstance(value, list) else {value}


def test_it_is_added_seen_changed_and_removed(scene: Cloud) -> None:
    operator = scene.operator
    before = operator.snapshot()
    scene.add(greeting="hello")
    scene.wait_answer("hello ping")
    assert scene.ask(token="wrong") == ""
    assert not scene.ask(address="192.168.98.42")
    # Its item and its metrics; nobody is shown its secret.
    for words in ("counter served: 1", "counter refused: 1", "metric served: 1", "state: serving"):
        operator.wait(lambda: words in operator.svcctl("container-show", NAME), words)  # noqa: B023
    shown = operator.svcctl("container-show", NAME)
    assert f"echo port 7 on {scene.find_chassis()}" in shown
    assert "secrets: token" in shown
    assert TOKEN not in shown
    (line,) = (
        line for line in operator.svcctl("--wide", "container-list").splitlines() if NAME in line
    )
    assert {"echo", "running", scene.find_chassis()} <= set(line.split())
    listed = operator.svcctl("echo-list")
    assert ADDRESS in listed
    assert ROUTER in listed
    chassis = scene.find_chassis()
    host = operator.host(chassis)
    files = [path for path in host.directory.rglob("*") if path.is_file()]
    holding = [path.name for path in files if TOKEN.encode() in path.read_bytes()]
    assert holding == ["token"], "a secret is in more than its own file"
    # Another greeting is served by another process; nothing else is started anew.
    pids, charon = scene.find_pids(), operator.find_charon(ASIDE)
    operator.svcctl("--wait=hv", "container-set", NAME, "greeting=good-day")
    scene.wait_answer("good-day ping")
    assert scene.find_pids() != pids
    assert len(scene.find_pids()) == 1
    assert operator.find_charon(ASIDE) == charon
    assert scene.find_chassis() == chassis
    operator.svcctl("--wait=hv", "container-del", NAME)
    operator.wait(lambda: operator.snapshot() == before, "all of it to be gone")
    assert scene.find_pids() == []
    assert scene.ask() == ""
    scene.check_other()


def test_it_is_moved_and_outlives_its_chassis(scene: Cloud) -> None:
    operator = scene.operator
    scene.add()
    operator.svcctl("container-migrate", NAME, "hv2", "--wait")
    assert scene.find_chassis() == "hv2"
    scene.wait_answer("hello ping")
    operator.wait(lambda: len(scene.find_pids()) == 1, "the first one to be gone")
    operator.host("hv2").kill()
    operator.wait(lambda: scene.find_chassis() not in ("", "hv2"), "another chassis", 60)
    scene.wait_answer("hello ping")
    scene.check_other()


REFUSED = {
    "key 'greting' is not known to service type echo; did you mean 'greeting'?": ("greting=x",),
    "key 'token' is a secret; give it with --secret=token=FILE": ("token=x",),
    "key 'token' is required by service type echo": ("--secret=token=",),
    "key 'address' is required by service type echo": ("address=",),
}


def test_mistakes_are_refused_or_told_and_it_goes_on(scene: Cloud) -> None:
    operator = scene.operator
    missing = operator.try_svcctl("container-add", NAME, "echo", f"router={ROUTER}")
    assert missing.returncode == 1
    assert "is required by service type echo" in missing.stderr
    scene.add()
    scene.wait_answer("hello ping")
    pids = scene.find_pids()
    for sentence, words in REFUSED.items():
        done = operator.try_svcctl("container-set", NAME, *words)
        assert done.returncode == 1
        assert sentence in done.stderr
    # Around svcctl, or past what it checks: the row says so, and what runs goes on.
    row = scene.row()
    mistakes: dict[str, dict[str, Any]] = {
        "service type echo has no key greting": {"configuration": change(row, greting="x")},
        "address: 1.0.0.300": {"configuration": change(row, address="1.0.0.300")},
        "port 99999 is not in 1..65535": {"configuration": change(row, port="99999")},
        "secret token is missing": {"secret": ["map", []]},
    }
    for sentence, columns in mistakes.items():
        scene.write(**columns)
        scene.wait_message(KEPT)
        scene.wait_message(sentence)
        assert scene.row()["status_code"] == "running"
        assert scene.ask() == "hello ping", sentence
        scene.write(**{name: row[name] for name in columns})
        operator.wait(lambda: KEPT not in scene.row()["status_message"], f"{sentence}: mended")
    assert scene.find_pids() == pids
    scene.check_other()


def change(row: dict[str, Any], **settings: str) -> list[Any]:
    """Returns the configuration of a row with other settings."""
    pairs = dict(row["configuration"][1]) | settings
    return ["map", sorted(pairs.items())]


def test_a_broken_type_harms_nobody(scene: Cloud) -> None:
    operator = scene.operator
    scene.add()
    scene.wait_answer("hello ping")
    pids = scene.find_pids()
    methods = scene.packages / "ovnsvc_broken" / "methods"
    for method in FAILING:
        methods.write_text(method)
        operator.svcctl("container-add", BROKEN, "broken", f"router={ROUTER}")
        scene.wait_message(f"{method} fails", BROKEN)
        if method.startswith("compile."):
            operator.wait(lambda: f"{method} fails" in scene.find_problem(), method)  # noqa: B023
        assert scene.ask() == "hello ping", method
        methods.unlink()
        operator.svcctl("container-del", BROKEN)
        operator.wait(lambda: not scene.bindings(BROKEN), f"{method}: it to be gone")
    operator.svcctl("container-add", BROKEN, "broken", f"router={ROUTER}")
    operator.svcctl("wait-until", "Service_Container", BROKEN, "status_code=running")
    for method in ("commands", "commands.show", "commands.tell_status"):
        methods.write_text(method)
        assert NAME in operator.svcctl("--wide", "container-list")
        operator.svcctl("show")
        operator.tell_status()
    assert scene.find_pids() == pids
    scene.check_other()
