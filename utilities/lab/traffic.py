"""Traffic between guests, sites and hosts of the lab, and what can be said of it.

A 'Ping' runs ten times a second (or as asked) and knows the times without an answer; 'transfer'
moves bytes over TCP and checks them; a 'Capture' listens on the provider network and tells what
was seen there between two sites.  Used by the demo, the bench and the system tests.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from . import process, tenant
from .errors import LabError
from .state import Lab

PING_INTERVAL_S = 0.1
END_TIMEOUT_S = 10
DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")
SENDER = """
import socket, sys
block = bytes(range(256)) * 256
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=30) as link:
    for _ in range(int(sys.argv[3]) * 16):
        link.sendall(block)
    link.shutdown(socket.SHUT_WR)
    assert link.recv(16) == b"whole"
"""
RECEIVER = """
import socket, sys
block = bytes(range(256)) * 256
with socket.create_server(("0.0.0.0", int(sys.argv[1]))) as server:
    server.settimeout(30)
    print("ready", flush=True)
    link, _ = server.accept()
    link.settimeout(30)
    got = bytearray()
    whole = 0
    while chunk := link.recv(1 << 16):
        got += chunk
        while len(got) >= len(block):
            assert got[:len(block)] == block
            del got[:len(block)]
            whole += 1
    assert not got and whole == int(sys.argv[2]) * 16
    link.sendall(b"whole")
"""


def find_command(lab: Lab, name: str, *argv: str) -> list[str]:
    """Returns the command that runs 'argv' in the host or guest 'name'."""
    host = lab.find_host(name) or lab.find_guest(name)
    if host is None:
        raise LabError(f"{name}: no such host or guest in {lab.directory}")
    inside = [] if host.name == name else ["ip", "netns", "exec", name]
    return host.enter([*inside, *argv])


def is_reachable(lab: Lab, source: str, target: str) -> bool:
    """Returns whether one ping of 'target' is answered within a second."""
    argv = find_command(lab, source, "ping", "-c1", "-W1", "-n", target)
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def wait_reachable(lab: Lab, source: str, target: str, timeout_s: float) -> float:
    """Returns the seconds until 'target' answers; raises LabError if it does not."""
    started = time.monotonic()
    argv = find_command(lab, source, "ping", "-n", "-i0.02", "-c1", f"-w{int(timeout_s) + 1}")
    while time.monotonic() - started < timeout_s:
        done = subprocess.run([*argv, target], capture_output=True, check=False)
        if done.returncode == 0:
            return time.monotonic() - started
    raise LabError(f"{source}: no answer from {target} within {timeout_s:g} s")


def start_mortal(argv: list[str], stdout: IO[Any] | int, stderr: int) -> subprocess.Popen[str]:
    """Starts a command that dies with this process, and that the terminal's Ctrl-C spares.

    It is this process that Ctrl-C is for: it ends the others in its own order.
    """
    return subprocess.Popen(
        [*DIE_WITH_PARENT, *argv], stdout=stdout, stderr=stderr, text=True, start_new_session=True
    )


class Ping:
    """Pings 'target' from a host or guest until stop()."""

    def __init__(
        self, lab: Lab, source: str, target: str, interval_s: float = PING_INTERVAL_S
    ) -> None:
        argv = find_command(
            lab,
            source,
            *DIE_WITH_PARENT,
            *("ping", "-n", "-D", "-i", f"{interval_s:g}", "-W1", target),
        )
        self._interval_s = interval_s
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by stop)
        self._process = start_mortal(argv, stdout=self._output, stderr=subprocess.DEVNULL)
        self._started_s = time.time()

    def wait_answers(self, number: int, timeout_s: float = 60) -> None:
        """Returns once that many more answers have come; raises LabError if they do not."""
        target = self._count() + number
        process.wait_until(lambda: self._count() >= target, f"{number} answers", timeout_s)

    def stop(self) -> Answers:
        """Ends the ping and returns what came back."""
        stopped_s = time.time()
        _interrupt(self._process.pid)
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise LabError("ping does not end") from None
        output = self._read()
        self._output.close()
        times = tuple(
            (int(match["seq"]), float(match["time"]))
            for match in re.finditer(
                r"^\[(?P<time>[\d.]+)\] \d+ bytes from .* icmp_seq=(?P<seq>\d+)", output, re.M
            )
        )
        sent = re.search(r"^(\d+) packets transmitted", output, re.M)
        number = int(sent[1]) if sent else 0
        return Answers(number, times, self._started_s, stopped_s, self._interval_s)

    def kill(self) -> None:
        """Ends the ping, whatever it saw.  May be called after stop()."""
        if self._process.poll() is None:
            _interrupt(self._process.pid)
            self._process.wait(END_TIMEOUT_S)

    def _read(self) -> str:
        # pread leaves the offset alone, which ping's own writes share.
        return os.pread(self._output.fileno(), 1 << 24, 0).decode()

    def _count(self) -> int:
        return self._read().count("icmp_seq=")


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers to a ping: (sequence number, time of day in seconds) of each."""

    sent: int
    times: tuple[tuple[int, float], ...]
    started_s: float
    stopped_s: float
    interval_s: float

    @property
    def received(self) -> int:
        return len({number for number, _ in self.times})

    @property
    def lost(self) -> int:
        """Requests without an answer; the last one may still be under way."""
        answered = {number for number, _ in self.times}
        return sum(1 for number in range(1, self.sent) if number not in answered)

    @property
    def longest_gap_s(self) -> float:
        """The longest time without an answer, less the interval."""
        moments = [self.started_s, *sorted(when for _, when in self.times), self.stopped_s]
        gaps = [after - before for before, after in itertools.pairwise(moments)]
        return max(0.0, max(gaps) - self.interval_s)


def transfer(lab: Lab, source: str, target: str, address: str, megabytes: int) -> float:
    """Sends bytes from 'source' to 'address' of 'target' and returns MB/s; each byte is checked."""
    port = "5001"
    argv = find_command(
        lab, target, *DIE_WITH_PARENT, "python3", "-c", RECEIVER, port, str(megabytes)
    )
    with running(argv) as receiver:
        assert receiver.stdout is not None
        if receiver.stdout.readline().strip() != "ready":
            raise LabError(f"{target}: the receiver does not start")
        started = time.monotonic()
        sender = find_command(lab, source, "python3", "-c", SENDER, address, port, str(megabytes))
        process.run(sender, timeout_s=60)
        taken_s = time.monotonic() - started
        if receiver.wait(END_TIMEOUT_S) != 0:
            raise LabError(f"{target}: what {source} sent did not arrive as it was")
    return megabytes / taken_s


class Listener:
    """tcpdump in a host, until stop(), or until the lab or this process ends."""

    def __init__(self, lab: Lab, path: Path, host: str, *options: str) -> None:
        self._path = path
        # Packets are in the file when they have passed, not when a buffer is full.
        always = ("--immediate-mode", "-s", "128", "-n", "-Z", "root")
        argv = find_command(lab, host, *DIE_WITH_PARENT, "tcpdump", *always, *options)
        with path.open("wb") as output:
            self._process = start_mortal(argv, stdout=output, stderr=subprocess.PIPE)
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if "listening on" in line:
                return
        raise LabError("tcpdump does not start")

    def stop(self) -> None:
        """Ends listening.  May be called twice."""
        if self._process.poll() is None:
            _interrupt(self._process.pid)
        self._process.communicate(timeout=END_TIMEOUT_S)


class Capture(Listener):
    """Listens on the provider network."""

    def __init__(self, lab: Lab, path: Path) -> None:
        super().__init__(lab, path, "fabric", "-i", "provider", "-U", "-w", "-")

    def list_packets(self, expression: str) -> list[str]:
        """Returns the packets so far that match a pcap-filter(7) expression, by tcpdump."""
        argv = ["tcpdump", "-r", str(self._path), "-n", "-e", "-tt", expression]
        return process.run(argv, timeout_s=60).splitlines()

    def count(self, expression: str) -> int:
        """Returns how many packets so far match."""
        return len(self.list_packets(expression))


class LinkCapture(Listener):
    """Listens on every link of a host, also on those that come later, for an expression."""

    def __init__(self, lab: Lab, path: Path, host: str, expression: str) -> None:
        # As text, since a file of packets has the links' numbers without their names.
        super().__init__(lab, path, host, "-i", "any", "-l", "-tt", expression)

    def list_times(self, link: str) -> list[float]:
        """Returns when packets left the host by 'link', in seconds since the epoch.

        A link is one end of a pair: what left by it has come to the namespace at the other end.
        """
        lines = (line.split() for line in self._path.read_text().splitlines())
        return [float(words[0]) for words in lines if words[1:3] == [link, "Out"]]


def format_clear(
    ours: str, theirs: str, translated: Sequence[str] = (tenant.ROUTER_ADDRESS,)
) -> str:
    """Returns the expression for packets between two subnets that are not inside ESP.

    Ours may have been translated on the way, to the router's address or to one of others.
    """
    hosts = "".join(f" or host {address}" for address in translated)
    return f"ip and net {theirs} and (net {ours}{hosts})"


def format_encrypted(ours: str, theirs: str) -> str:
    """Returns the expression for IKE and ESP, native or in UDP, between two addresses."""
    return f"host {ours} and host {theirs} and (esp or udp port 500 or udp port 4500)"


@contextlib.contextmanager
def running(argv: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Runs a command with its output in a pipe; ends it and what it started at the end."""
    started = start_mortal(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        yield started
    finally:
        for pid in _find_leaves(started.pid):
            with contextlib.suppress(ProcessLookupError):
                process.ProcessId(pid, process.find_start_ticks(pid) or -1).kill()
        started.kill()
        started.communicate()


def _find_leaves(pid: int) -> list[int]:
    children = process.find_children(pid)
    return [leaf for child in children for leaf in _find_leaves(child)] or [pid]


def _interrupt(pid: int) -> None:
    """Sends SIGINT to the program that 'pid', an nsenter, waits for."""
    for leaf in _find_leaves(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(leaf, signal.SIGINT)
