"""A service type that is a package of its own, on a real host: its program, supervised."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .ovsdb import wait_until
from .rig import Rig, Side, run_rig
from .wheels import build_wheel, install_wheel

A = Side(10)
TOKEN = "open-sesame-4711"
DESTINATION = "192.168.99.0/24"
CLIENT = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[3])), timeout=3) as client:
    file = client.makefile("rw")
    file.write(sys.argv[2] + "\\n")
    file.flush()
    greeting = file.readline()
    file.write("ping\\n")
    file.flush()
    print(greeting.strip(), file.readline().strip())
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The package 'echo', installed in a folder that any user may read."""
    wheel = build_wheel("echo", tmp_path_factory.mktemp("wheel"))
    with tempfile.TemporaryDirectory(prefix="ovnsvc-") as directory:
        os.chmod(directory, 0o755)
        yield install_wheel(wheel, Path(directory))


@pytest.fixture
def rig(package: Path) -> Iterator[Rig]:
    """A chassis that can run echo servers; its directory may be passed through."""
    with tempfile.TemporaryDirectory(prefix="rig-") as directory:
        os.chmod(directory, 0o711)
        with run_rig(Path(directory), (package,)) as made:
            yield made


@pytest.fixture
def server(rig: Rig) -> Rig:
    """The rig with an echo server that runs."""
    bind(rig)
    rig.plug(A)
    rig.run("ip", "route", "replace", DESTINATION, "via", A.address)
    rig.wait_running(A)
    return rig


def bind(rig: Rig, token: str = TOKEN, role: str = "active", **settings: Any) -> None:
    configuration = {
        "address": A.outer,
        "destination": DESTINATION,
        "port": 7,
        "greeting": "hello",
        "secret": "c token",
        **settings,
    }
    secrets = {"c token": token} if token else {}
    rig.bind_type(A, "echo", json.dumps(configuration), secrets, role=role)


def ask(rig: Rig, address: str = A.outer, token: str = TOKEN, port: int = 7) -> str:
    """Returns what a client gets: the greeting, and its line."""
    words = (sys.executable, "-c", CLIENT, address, token, str(port))
    return rig.run(*words, check=False).strip()


def find_pid(rig: Rig) -> int:
    """Returns the pid (in the rig) of the server."""
    return int(json.loads((find_directory(rig).parent / "program-server.pid").read_text())["pid"])


def find_directory(rig: Rig) -> Path:
    return rig.directory / "containers" / A.name / "program-server"


def find_item(rig: Rig) -> dict[str, Any]:
    rows = rig.sb.rows("Container_Item")
    return rows[0] if rows else {}


def find_counter(rig: Rig, name: str) -> int | None:
    counters = find_item(rig).get("counters", ["map", []])
    return dict(counters[1]).get(name)


def wait_status(rig: Rig, code: str, message: str) -> None:
    def reached() -> bool:
        row = rig.binding(A)
        return row["status_code"] == code and message in row["status_message"]

    wait_until(reached, f"{code}: {message}", timeout_s=20)


# -- found, loaded -----------------------------------------------------------------


def test_found_by_its_entry_point(package: Path) -> None:
    code = """
from ovnsvc.services.api.service_type import load_service_types
types, problems = load_service_types()
assert problems == [], problems
echo = types["echo"]
import sys
assert "ovnsvc_echo.host" not in sys.modules
half = echo.host_half()
assert "ovnsvc_echo.compile" not in sys.modules
print(half.probe().problem)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "None\n", done.stderr


def test_a_chassis_tells_that_it_can_run_it(rig: Rig) -> None:
    (chassis,) = rig.sb.rows("Chassis")
    assert "echo" in str(chassis["service_types"])


# -- its program --------------------------------------------------------------------


def test_it_serves(server: Rig) -> None:
    assert ask(server) == "hello ping"
    assert ask(server, address="192.168.99.42") == "hello ping"
    assert ask(server, token="wrong") == ""
    wait_until(lambda: find_counter(server, "served") == 2, "the counter", timeout_s=20)
    wait_until(lambda: find_counter(server, "refused") == 1, "the other one", timeout_s=20)
    item = find_item(server)
    assert (item["kind"], item["name"], item["state"]) == ("echo", "port 7", "serving")
    assert item["message"] == "greets with hello"
    wait_until(
        lambda: dict(server.binding(A)["metrics"][1]).get("served") == 2, "metrics", timeout_s=20
    )


def test_its_secret_is_in_its_file_only(server: Rig) -> None:
    assert ask(server) == "hello ping"
    pid = find_pid(server)
    for name in ("cmdline", "environ"):
        assert TOKEN not in server.run("cat", f"/proc/{pid}/{name}")
    holding = [
        path.name
        for path in server.directory.rglob("*")
        if path.is_file() and TOKEN.encode() in path.read_bytes()
    ]
    assert holding == ["token"]
    assert stat.S_IMODE((find_directory(server) / "token").stat().st_mode) == 0o400


def test_it_runs_as_its_user(rig: Rig) -> None:
    bind(rig, user="nobody", port=7007)
    rig.plug(A)
    rig.wait_running(A)
    assert ask(rig, port=7007) == "hello ping"
    status = rig.run("cat", f"/proc/{find_pid(rig)}/status")
    assert "Uid:\t65534\t65534" in status
    assert find_directory(rig).stat().st_uid == 65534
    wait_until(lambda: find_item(rig), "the item")


def test_a_user_that_is_not_there_is_told(rig: Rig) -> None:
    bind(rig, user="nobody-at-all")
    wait_status(rig, "error", "server: there is no user nobody-at-all on this chassis")


def test_a_change_starts_it_anew(server: Rig) -> None:
    before = find_pid(server)
    bind(server, greeting="good day")
    server.wait_running(A)
    assert ask(server) == "good day ping"
    assert find_pid(server) != before
    assert server.binding(A)["restarts"] == 0
    bind(server, token="another", greeting="good day")
    server.wait_running(A)
    assert ask(server, token="another") == "good day ping"


def test_without_its_secret_it_goes_on_as_before(server: Rig) -> None:
    before = find_pid(server)
    bind(server, token="")
    wait_status(server, "running", "server: secret c token is missing")
    assert find_pid(server) == before
    assert ask(server) == "hello ping"


def test_one_that_never_had_its_secret_is_an_error(rig: Rig) -> None:
    bind(rig, token="")
    wait_status(rig, "error", "server: secret c token is missing")


def test_a_configuration_that_makes_no_sense_is_told(server: Rig) -> None:
    bind(server, port="x")
    wait_status(server, "running", "the configuration makes no sense")
    assert ask(server) == "hello ping"


def test_it_is_started_again(server: Rig) -> None:
    server.run("kill", "-9", str(find_pid(server)))
    wait_until(lambda: server.binding(A)["restarts"] == 1, "the restart")
    wait_status(server, "running", "server was killed by signal 9; restarted")
    assert ask(server) == "hello ping"


def test_one_that_hangs_is_killed(server: Rig) -> None:
    server.run("kill", "-STOP", str(find_pid(server)))
    server.run("ip", "netns", "exec", A.name, "nft", "add", "table", "inet", "hang")
    rules = "add chain inet hang in { type filter hook input priority 0 ; policy drop ; }"
    server.run("ip", "netns", "exec", A.name, "nft", rules)
    wait_until(lambda: server.binding(A)["restarts"] == 1, "its end", timeout_s=20)
    wait_status(server, "starting", "server was not well 3 times: no answer within 1000 ms")
    server.run("ip", "netns", "exec", A.name, "nft", "delete", "table", "inet", "hang")
    server.wait_running(A)


def test_it_is_taken_over(server: Rig) -> None:
    before = find_pid(server)
    server.end_controller()
    server.start_controller()
    bind(server)
    server.wait_running(A)
    assert find_pid(server) == before
    assert ask(server) == "hello ping"
    wait_until(lambda: find_item(server), "its item")


def test_one_without_a_record_is_taken_over(server: Rig) -> None:
    """svc-controller can die between the start of a program and its record."""
    before = find_pid(server)
    server.end_controller()
    (find_directory(server).parent / "program-server.pid").unlink()
    server.start_controller()
    bind(server)
    server.wait_running(A)
    assert find_pid(server) == before


def test_what_changed_while_svc_controller_was_away(server: Rig) -> None:
    before = find_pid(server)
    server.end_controller()
    bind(server, greeting="good day")
    server.start_controller()
    server.wait_running(A)
    assert ask(server) == "good day ping"
    assert find_pid(server) != before


@pytest.mark.parametrize("away", [False, True])
def test_it_goes_whole(server: Rig, away: bool) -> None:
    if away:
        server.end_controller()
    server.unbind(A)
    if away:
        server.start_controller()
    wait_until(lambda: not server.find_leftovers(), "everything to be gone")
    assert server.run("pgrep", "-f", "server.py", check=False) == ""


def test_a_standby_runs_it_as_well(rig: Rig) -> None:
    bind(rig, role="standby")
    rig.wait_running(A)
    assert rig.binding(A)["status_message"] == "ready; stands by"
    before = find_pid(rig)
    rig.plug(A)
    rig.set_role(A, "active")
    rig.wait_running(A)
    assert find_pid(rig) == before
    assert ask(rig) == "hello ping"
