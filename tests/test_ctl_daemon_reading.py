"""What only reads a daemon of svcctl answers out of what it keeps, as new as the question."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .ovsdb import Databases, wait_until
from .svcctl import Result
from .svcctl_daemon import PATIENCE_S, PROGRAM, Daemon

GROUP = "Container_Group"
GET = ("get", GROUP, "g", "external_ids:k")
MANY = 3000
CALLERS = 12


@pytest.fixture
def daemon(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    made = Daemon(databases, tmp_path_factory.mktemp("d"))
    yield made
    made.stop()


def count_kept(daemon: Daemon) -> int:
    """Returns how many rows the daemon keeps."""
    told = daemon.ask("memory/show").stdout.split()
    return int(dict(each.split(":") for each in told)["kept-rows"])


def keep(daemon: Daemon, databases: Databases) -> None:
    """Has the daemon keep a group called g."""
    databases.nb.insert(GROUP, name="g", external_ids=["map", [["k", "0"]]])
    daemon.good(*GET)
    wait_until(lambda: count_kept(daemon) > 0, "the rows")


def find_reader(daemon: Daemon) -> int:
    """Returns the process that reads, which is the first child."""
    return daemon.list_children()[0]


def write(databases: Databases, number: int) -> None:
    databases.nb.update(GROUP, [["name", "==", "g"]], external_ids=["map", [["k", str(number)]]])


def test_what_was_written_before_is_seen(daemon: Daemon, databases: Databases) -> None:
    keep(daemon, databases)
    for number in range(100, 140):
        write(databases, number)
        assert daemon.good(*GET) == f'"{number}"\n'
        alone = ("set", GROUP, "g", f"external_ids:k={number + 100}")
        daemon.good(*alone, SVC_NB_DAEMON="" if number % 2 else daemon.socket)
        assert daemon.good(*GET) == f'"{number + 100}"\n'
    databases.nb.delete(GROUP)
    gone = daemon.run(*GET)
    assert gone == Result("", f'svcctl: no row "g" in table {GROUP}\n', 1)


def test_a_row_is_changed_by_its_name_of_now(daemon: Daemon, databases: Databases) -> None:
    keep(daemon, databases)
    change = ("set", GROUP, "g", "policy=random")
    daemon.good(*change)
    databases.nb.update(GROUP, [], name="other")
    assert daemon.run(*change) == Result("", f'svcctl: no row "g" in table {GROUP}\n', 1)
    databases.nb.insert(GROUP, name="g", policy="weighted")
    daemon.good(*change)
    rows = databases.nb.rows(GROUP, columns=["name", "policy"])
    assert sorted(each["name"] + each["policy"] for each in rows) == ["grandom", "otherrandom"]


def test_the_end_of_the_process_that_reads_is_nobodys_concern(
    daemon: Daemon, databases: Databases
) -> None:
    keep(daemon, databases)
    for _ in range(2):
        os.kill(find_reader(daemon), signal.SIGKILL)
        assert daemon.good(*GET) == '"0"\n'
        wait_until(lambda: daemon.good(*GET) == '"0"\n' and count_kept(daemon) > 0, "another")
    # One that hangs is ended, and its commands are done all the same.
    reader = find_reader(daemon)
    os.kill(reader, signal.SIGSTOP)
    asked = [daemon.start(*GET) for _ in range(3)]
    assert [each.communicate(timeout=PATIENCE_S)[0] for each in asked] == ['"0"\n'] * 3
    assert not Path(f"/proc/{reader}").exists()


def test_a_server_that_hangs_or_ends_is_waited_for_and_told(
    daemon: Daemon, databases: Databases
) -> None:
    keep(daemon, databases)
    databases.nb.pause()
    caller = daemon.start(*GET)
    databases.nb.resume()
    assert caller.communicate(timeout=PATIENCE_S)[0] == '"0"\n'
    databases.nb.stop()
    reason = "database connection failed (No such file or directory)"
    for _ in range(3):
        assert daemon.run(*GET).stderr == f"svcctl: {databases.nb.remote}: {reason}\n"
    databases.nb.start()
    for _ in range(3):
        assert daemon.good(*GET) == '"0"\n'
    wait_until(lambda: daemon.good(*GET) == '"0"\n' and count_kept(daemon) > 0, "the rows")


def test_many_at_once_are_all_answered(daemon: Daemon, databases: Databases) -> None:
    keep(daemon, databases)
    names = {f"n{number}" for number in range(CALLERS)}
    for name in names:
        databases.nb.insert(GROUP, name=name)
    changing = [daemon.start("set", GROUP, name, "policy=load") for name in names]
    reading = [daemon.start("get", GROUP, name, "name") for name in names]
    listing = [daemon.start("--bare", "--columns=name", "list", GROUP) for _ in names]
    assert {each.wait(PATIENCE_S) for each in changing} == {0}
    assert {each.communicate(timeout=PATIENCE_S)[0].strip() for each in reading} == names
    for each in listing:
        assert set(each.communicate(timeout=PATIENCE_S)[0].split()) == {*names, "g"}
    assert daemon.good("--bare", "--columns=name", "find", GROUP, "policy!=load") == "g\n"


def test_much_is_told_whole_and_whoever_has_enough_may_go(
    daemon: Daemon, databases: Databases
) -> None:
    keep(daemon, databases)
    row = {"external_ids": ["map", [["k", "x" * 500]]]}
    databases.nb.transact(
        *(
            {"op": "insert", "table": GROUP, "row": {"name": f"g{number}", **row}}
            for number in range(MANY)
        )
    )
    listed = daemon.good("list", GROUP)
    assert listed.count("\n\n") == MANY
    assert listed == daemon.good("list", GROUP, SVC_NB_DAEMON="")
    shell = f"{PROGRAM} list {GROUP} | head -n 1"
    cut = subprocess.run(
        ["sh", "-c", shell], env=daemon.environment, capture_output=True, text=True, check=False
    )
    assert cut.stdout == listed[: listed.index("\n") + 1]
    # One that takes nothing keeps nobody, and is forgotten when it goes.
    request = {"id": 7, "method": "reply", "params": ["list", GROUP]}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as idle:
        idle.connect(daemon.socket)
        idle.sendall(json.dumps(request).encode())
        assert idle.recv(1) == b"{"
        for _ in range(3):
            assert daemon.good(*GET) == '"0"\n'
    assert daemon.good(*GET) == '"0"\n'
    assert count_kept(daemon) == MANY + 1
