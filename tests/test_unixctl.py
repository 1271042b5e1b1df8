"""A daemon whose commands, and whose every method, may raise: it answers and goes on."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import ovs.jsonrpc
import ovs.unixctl.client
import pytest

from .ovsdb import wait_until

ROOT = Path(__file__).resolve().parents[1]
_DAEMON = f"""
import argparse, sys
import ovs.unixctl
from {ROOT.name}.lib import loop
from {ROOT.name}.lib.unixctl import register_command

class Program:
    broken = ""
    passes = 0
    left = False

    def run(self):
        self.passes += 1
        self.fail("run")

    def wait(self, poller):
        poller.immediate_wake()
        self.fail("wait")

    def recover(self):
        self.fail("recover")

    def leave(self):
        self.fail("leave")

    def close(self):
        self.fail("close")

    def fail(self, method):
        if method in self.broken:
            raise RuntimeError(f"{{method}} is broken")

def make():
    program = Program()

    def set_broken(connection, argv, aux):
        program.broken = argv
        connection.reply(None)

    def fail(connection, argv, aux):
        raise ValueError(10**18)

    def answer_and_fail(connection, argv, aux):
        connection.reply("done")
        raise ValueError("too late")

    register_command("break", set_broken, arguments="[METHOD] [METHOD] [METHOD] [METHOD]")
    register_command("fail", fail)
    register_command("answer-and-fail", answer_and_fail)
    register_command("answer-a-number", lambda connection, argv, aux: connection.reply(5))
    register_command("answer-a-surrogate", lambda connection, *_: connection.reply("\\ud800"))
    register_command("passes", lambda connection, argv, aux: connection.reply(str(program.passes)))
    register_command("word", lambda connection, argv, aux: connection.reply(argv[0] + aux), "!",
                     arguments="WORD [MORE]")
    return program

options = loop.parse_options(argparse.ArgumentParser(), sys.argv[1:])
ovs.unixctl.command_register("foreign", "", 0, 0, lambda *_: 1 / 0, None)
sys.exit(loop.serve("test-daemon", options, make))
"""


class _Daemon:
    def __init__(self, directory: Path) -> None:
        self.control = directory / "ctl"
        self.log = directory / "log"
        options = ["-vconsole:off", "-vsyslog:off", f"--log-file={self.log}"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", _DAEMON, *options, f"--unixctl={self.control}"],
            cwd=ROOT.parent,
            env={**os.environ, "SVC_RUNDIR": str(directory), "SVC_LOGDIR": str(directory)},
        )
        wait_until(lambda: self.control.exists() and "started" in self.log.read_text(), "a start")

    def ask(self, command: str, *words: str) -> tuple[bool, str]:
        """Returns whether it is an answer and not a problem, and what it says."""
        error, client = ovs.unixctl.client.UnixctlClient.create(str(self.control))
        assert not error, os.strerror(error)
        error, problem, answer = client.transact(command, list(words))
        client.close()
        assert not error, os.strerror(error)
        return problem is None, str(answer if problem is None else problem).strip()

    def count_passes(self) -> int:
        return int(self.ask("passes")[1])

    def wait_for_passes(self) -> None:
        before = self.count_passes()
        wait_until(lambda: self.count_passes() > before + 1, "passes")


@pytest.fixture
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Daemon]:
    made = _Daemon(tmp_path_factory.mktemp("d"))
    yield made
    made.process.kill()
    made.process.wait()


def test_a_command_that_raises_answers_with_what_it_raised(daemon: _Daemon) -> None:
    assert daemon.ask("fail") == (False, f"fail: ValueError({10**18})")
    assert daemon.ask("answer-and-fail") == (True, "done")
    good, problem = daemon.ask("answer-a-number")
    assert not good
    assert problem.startswith("answer-a-number: AssertionError")
    assert daemon.ask("foreign") == (False, "foreign: ZeroDivisionError('division by zero')")
    daemon.wait_for_passes()
    assert "the command fail failed" in daemon.log.read_text()


def test_a_command_has_the_words_that_it_may_have(daemon: _Daemon) -> None:
    assert daemon.ask("word", "a") == (True, "a!")
    assert daemon.ask("word", "a", "b") == (True, "a!")
    assert daemon.ask("word") == (False, '"word" command requires at least 1 arguments')
    assert daemon.ask("word", *"abc") == (False, '"word" command takes at most 2 arguments')
    assert "WORD [MORE]" in daemon.ask("help")[1]


def test_an_answer_that_cannot_be_sent_ends_its_connection_only(daemon: _Daemon) -> None:
    error, client = ovs.unixctl.client.UnixctlClient.create(str(daemon.control))
    assert not error
    error, _, _ = client.transact("answer-a-surrogate", [])
    assert error, "there is no answer"
    client.close()
    daemon.wait_for_passes()


@pytest.mark.parametrize("methods", [["run"], ["wait"], ["wait", "recover"], ["run", "recover"]])
def test_whatever_method_raises_passes_go_on(daemon: _Daemon, methods: list[str]) -> None:
    daemon.ask("break", *methods)
    wait_until(lambda: "unexpected failure" in daemon.log.read_text(), "the failure")
    before, started = daemon.count_passes(), time.monotonic()
    wait_until(lambda: time.monotonic() - started > 0.3, "a while")
    assert daemon.count_passes() - before < 10, "a failure is no reason to spin"
    daemon.ask("break")
    daemon.wait_for_passes()
    assert daemon.process.poll() is None


def test_one_that_cannot_end_well_ends_all_the_same(daemon: _Daemon) -> None:
    daemon.ask("break", "close")
    assert daemon.ask("exit")[0]
    assert daemon.process.wait(timeout=10) == 0
    assert "close is broken" in daemon.log.read_text()


def test_one_that_cannot_leave_tries_again(daemon: _Daemon) -> None:
    daemon.ask("break", "leave")
    error, client = ovs.unixctl.client.UnixctlClient.create(str(daemon.control))
    assert not error
    client._conn.send(ovs.jsonrpc.Message.create_request("exit", ["--cleanup"]))
    wait_until(lambda: "leave is broken" in daemon.log.read_text(), "the failure")
    daemon.wait_for_passes()
    daemon.ask("exit")
    assert daemon.process.wait(timeout=10) == 0
    client.close()


def test_a_log_file_that_is_opened_again_is_nobody_elses(daemon: _Daemon) -> None:
    daemon.log.rename(daemon.log.with_suffix(".1"))
    assert daemon.ask("vlog/reopen") == (True, "")
    assert stat.S_IMODE(daemon.log.stat().st_mode) == 0o640
    daemon.ask("fail")
    assert "the command fail failed" in daemon.log.read_text()
