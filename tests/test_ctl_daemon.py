"""svcctl as a daemon: the program as it is installed, asked by itself and by ovs-appctl."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping

import pytest

from ..lib.version import VERSION
from .ovsdb import Databases, wait_until
from .svcctl import ROOT, Result, add_router
from .svcctl_daemon import PATIENCE_S, PROGRAM, Daemon


@pytest.fixture
def daemon(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    made = Daemon(databases, tmp_path_factory.mktemp("d"))
    yield made
    made.stop()


def words(line: str) -> list[str]:
    return line.split()


def without_appctl(daemon: Daemon) -> Mapping[str, str]:
    """Returns the environment of a host that has no ovs-appctl, so that Python asks."""
    tools = daemon.directory / "tools"
    tools.mkdir(exist_ok=True)
    for name in ("sh", "readlink"):
        if not (tools / name).exists():
            (tools / name).symlink_to(f"/bin/{name}")
    return {"PATH": str(tools)}


def test_a_daemon_answers_as_the_program_does(daemon: Daemon) -> None:
    daemon.good("group-add", "g", "--", "group-add", "h\\", "random")
    lines = (
        "--columns=name,policy list Container_Group",
        "--if-exists get Container_Group nono name",
        "get Container_Group g spread options",
        "get Container_Group nono name",
        "get Container_Group g nono",
        "set Container_Group g policy=nono",
        "nonsense",
        "",
        "create Chassis_Group name=x --dry-run",
        "--oneline get Container_Group g name policy -- get Container_Group g options",
        "--version",
        "help group-add",
        "--timeout=x show",
    )
    for line in lines:
        alone = daemon.run(*line.split(), SVC_NB_DAEMON="")
        assert daemon.run(*line.split()) == alone, line
        assert daemon.run(*line.split(), **without_appctl(daemon)) == alone, line
        assert daemon.run("-u", daemon.socket, *line.split(), SVC_NB_DAEMON="") == alone, line
    # A signal that ends the program is told as a shell tells it.
    late = words("--ti=1 wait-until Container_Group g policy=load")
    alone = daemon.run(*late, SVC_NB_DAEMON="")
    assert alone.status == -signal.SIGALRM
    assert daemon.run(*late) == Result("", alone.stderr, 128 + signal.SIGALRM)
    alone = daemon.run("--no-such", SVC_NB_DAEMON="")
    assert daemon.run("--no-such") == alone


def test_the_daemon_is_told_of_by_ovs_appctl(daemon: Daemon) -> None:
    assert daemon.ask("run", "--bare", "group-list") == Result("", "", 0)
    failed = daemon.ask("run", "get", "Container_Group", "g", "name")
    assert failed.status == 2
    assert failed.stderr.startswith('svcctl: no row "g" in table Container_Group\n')
    assert daemon.ask("version").stdout == f"svcctl (ovnsvc) {VERSION}\n"
    assert (os.stat(daemon.socket).st_mode & 0o077) == 0
    exits = [str(ROOT / "utilities" / "svc-appctl"), "-t", "svcctl", "exit"]
    subprocess.run(exits, env=daemon.environment, check=True, timeout=PATIENCE_S)
    wait_until(lambda: not daemon.is_running(), "the end of the daemon")
    gone = daemon.run("show")
    reason = f'svcctl: cannot connect to "{daemon.socket}" (No such file or directory)'
    assert gone == Result("", f"{reason}; unset SVC_NB_DAEMON\n", 1)
    assert daemon.run("show", **without_appctl(daemon)) == gone
    # Of a socket that somebody names in the command line it says what that is.
    assert daemon.run("-u", daemon.socket, "show") == Result("", f"{reason}\n", 1)
    assert daemon.run("-u", daemon.socket, "show", **without_appctl(daemon)).stderr == f"{reason}\n"


def test_a_caller_whose_outputs_are_closed_is_served_all_the_same(
    daemon: Daemon, databases: Databases
) -> None:
    def run(command: str) -> int:
        shell = ["sh", "-c", f"{PROGRAM} {command}"]
        return subprocess.run(shell, env=daemon.environment, check=False).returncode

    ways = (">&-", "2>&-", ">&- 2>&-", "<&-", ">&- 2>&- <&-")
    for number, closed in enumerate(ways):
        assert run(f"group-add g{number} {closed}") == 0
        assert run(f"group-add g{number} {closed}") == 1
        assert run(f"get Container_Group g{number} name {closed}") == 0
    assert len(databases.nb.rows("Container_Group")) == len(ways)


def test_files_are_those_of_the_caller(daemon: Daemon, databases: Databases) -> None:
    add_router(databases, "tenant-router")
    daemon.good(*words("--no-check vpn-add mercury tenant-router 1.0.0.100 192.168.1.0/24"))
    conn = ("--no-check", "conn-add", "mercury")
    (daemon.directory / "psk").write_text("of a file\n")
    daemon.good(*conn, "c1", "1.0.0.3", "10.1.0.0/24", "--psk-file=psk")
    daemon.good(*conn, "c2", "1.0.0.4", "10.2.0.0/24", "--psk-file=-", given="of a pipe\n")
    read = ("--show-secrets", "get", "IPsec_Connection")
    assert daemon.good(*read, "c1", "psk", "--", "get", "IPsec_Connection", "c2", "psk") == (
        '"of a file"\n"of a pipe"\n'
    )
    empty = daemon.run(*conn, *words("c3 1.0.0.5 10.3.0.0/24 --psk-file=-"))
    assert empty == Result("", "svcctl: --psk-file=-: the pre-shared key is empty\n", 1)


def test_one_that_waits_keeps_nobody(daemon: Daemon, databases: Databases) -> None:
    daemon.good("group-add", "g")
    wait = ("wait-until", "Container_Group", "g", "policy=load")
    waiting = [daemon.start(*wait) for _ in range(3)]
    wait_until(lambda: daemon.count_runs() == len(waiting), "the commands that wait")
    assert daemon.good("get", "Container_Group", "g", "name") == "g\n"
    databases.nb.update("Container_Group", [], policy="load")
    assert [each.wait(PATIENCE_S) for each in waiting] == [0, 0, 0]
    wait_until(lambda: daemon.count_runs() == 0, "their end")


def test_a_caller_that_goes_takes_its_command_along(daemon: Daemon) -> None:
    asking = ["ovs-appctl", "-t", daemon.socket, "run", "wait-until", "Container_Group", "nono"]
    caller = subprocess.Popen(asking)
    wait_until(lambda: daemon.count_runs() == 1, "the command")
    caller.kill()
    caller.wait()
    wait_until(lambda: daemon.count_runs() == 0, "its end")
    assert daemon.good("--bare", "group-list") == ""


def test_a_server_that_is_away_comes_back(daemon: Daemon, databases: Databases) -> None:
    daemon.good("group-add", "g")
    databases.nb.stop()
    reason = "database connection failed (No such file or directory)"
    assert daemon.run("group-list").stderr == f"svcctl: {databases.nb.remote}: {reason}\n"
    databases.nb.start()
    for _ in range(2):
        assert daemon.good("get", "Container_Group", "g", "name") == "g\n"
    # The process of the next command has a connection already, which ends.
    databases.nb.stop()
    databases.nb.start()
    assert daemon.good("get", "Container_Group", "g", "name") == "g\n"


def test_a_command_that_dies_ends_no_daemon(daemon: Daemon) -> None:
    caller = daemon.start("wait-until", "Container_Group", "nono")
    wait_until(lambda: daemon.count_runs() == 1, "the command")
    for each in daemon.list_children():
        os.kill(each, signal.SIGSEGV)
    assert caller.wait(PATIENCE_S) == 128 + signal.SIGSEGV
    assert daemon.is_running()
    assert daemon.good("--bare", "group-list") == ""
    wait_until(lambda: len(daemon.list_children()) == 1, "the process of the next command")
    os.kill(daemon.list_children()[0], signal.SIGKILL)
    for _ in range(2):
        assert daemon.good("--bare", "group-list") == ""


def test_options_of_the_daemon_hold_for_each_command(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("o")
    (directory / "db").symlink_to(databases.nb.socket)
    made = Daemon(databases, directory, "--db=unix:db", "--no-headings", "-f", "csv")
    try:
        made.environment["SVC_NB_DB"] = "unix:/nono"
        elsewhere = subprocess.run(
            [PROGRAM, *words("group-add g -- --columns=name list Container_Group")],
            cwd="/",
            env=made.environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert elsewhere.stdout == "g\n"
        (directory / "other").symlink_to(databases.sb.socket)
        said = made.run("--db=unix:other", "group-list").stderr
        assert said == "svcctl: unix:other: the server has no database SVC_Northbound\n"
        again = made.run("--detach", "--pidfile")
        assert again.status != 0
        told = made.run("group-list", "--detach").stderr
        assert told == 'svcctl: put "--detach" before the command\n'
        refused = made.run("--detach", "show", SVC_NB_DAEMON="")
        assert "non-option arguments not supported with --detach" in refused.stderr
        assert made.ask("run", "--detach").stderr.startswith("svcctl: --detach is not for a daemon")
    finally:
        made.stop()


def test_svcctl_starts_without_the_environment_of_python(databases: Databases) -> None:
    traced = subprocess.run(
        [PROGRAM, "--no-syslog", "group-list"],
        env={**databases.environment(), "PYTHONVERBOSE": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    loaded = {line.split()[1] for line in traced.stderr.splitlines() if line.startswith("import ")}
    assert "'ovnsvc.ctl.main'" in loaded
    assert not loaded & {"'site'", "'importlib.util'", "'ovs'", "'ssl'", "'inspect'"}


def test_whoever_comes_while_it_is_busy_waits(daemon: Daemon) -> None:
    """ovs-appctl does not wait to be let in: it says "Protocol error"."""
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        with contextlib.ExitStack() as callers:
            for _ in range(100):
                caller = callers.enter_context(socket.socket(socket.AF_UNIX))
                caller.setblocking(False)
                caller.connect(daemon.socket)
    finally:
        os.kill(daemon.pid, signal.SIGCONT)
    assert daemon.good("list", "Container_Group") == ""
