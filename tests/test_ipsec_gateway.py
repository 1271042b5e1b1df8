"""The service of an ipsec container, with a charon that answers before it is listened to."""

from __future__ import annotations

import json
import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from vici.protocol import Message, Packet

from ..controller.programs.wakeups import Waits
from ..lib.balancer import Endpoint, VirtualAddress
from ..lib.loop import monotonic_ms
from ..services.api.host import ERROR, RUNNING, STARTING, Process, Sandbox, Workload
from ..services.api.program import Launch
from ..services.ipsec.host import charon, connections, gateway, vici
from .rig import Side, connect

A, B, C = Side(10), Side(11), Side(12)
_HEADER = struct.Struct("!I")
# As long as what is asked of charon may take; what it tells by itself is asked for more rarely.
_LONGEST_WAIT_MS = 900


class PromptCharon(threading.Thread):
    """A vici server that confirms every event and says yes to every command, or no to some."""

    def __init__(self, path: str) -> None:
        super().__init__(daemon=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        self._answered = threading.Condition()
        self._count = 0
        self.commands: list[str] = []
        # Commands that it refuses.
        self.refused: set[str] = set()

    def run(self) -> None:
        peer, _ = self._listener.accept()
        self._peer = peer
        self._listener.close()
        with suppress(ConnectionResetError), peer, peer.makefile("rb") as file:
            while header := file.read(_HEADER.size):
                packet = file.read(*_HEADER.unpack(header))
                command = packet[2 : 2 + packet[1]].decode()
                self.commands.append(command)
                peer.sendall(_answer(packet, command in self.refused))
                with self._answered:
                    self._count += 1
                    self._answered.notify()

    def hang_up(self) -> None:
        """Closes its connection, as one does that is ending."""
        self._peer.shutdown(socket.SHUT_RDWR)
        self.join(timeout=5)

    def wait_answered(self, count: int) -> None:
        """Waits until so many packets have been answered."""
        with self._answered:
            assert self._answered.wait_for(lambda: self._count >= count, timeout=5)


def _answer(packet: bytes, refused: bool) -> bytes:
    answer = bytes([Packet.EVENT_CONFIRM])
    if packet[0] == Packet.CMD_REQUEST:
        words = {"success": "no", "errmsg": "it is refused"} if refused else {"success": "yes"}
        answer = bytes([Packet.CMD_RESPONSE]) + cast(bytes, Message.serialize(words))
    return _HEADER.pack(len(answer)) + answer


class Daemon:
    """A Process that does not end."""

    pid = 1
    killed = 0

    def kill(self) -> None:
        self.killed += 1

    def in_namespace(self, _inode: int | None) -> bool:
        return True

    def __getattr__(self, _name: str) -> Any:
        return lambda *_arguments: None


class Directory:
    """A Sandbox in memory, where a charon runs already."""

    container = "vpn-a"

    def __init__(self, path: Path) -> None:
        self.directory = str(path)
        self.log_path = str(path / "log")
        self.daemon = Daemon()

    def unseal(self, sealed: str) -> str:
        return sealed

    def adopt(self, _launch: Launch, _environment: str) -> Process:
        return cast(Process, self.daemon)

    def find_namespace(self) -> int | None:
        return None

    def bound_log(self) -> None:
        pass


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return Directory(tmp_path)


@pytest.fixture
def prompt(directory: Directory) -> PromptCharon:
    """A charon that listens."""
    made = PromptCharon(charon.find_socket(cast(Sandbox, directory)))
    made.start()
    return made


@pytest.fixture
def service(
    directory: Directory, prompt: PromptCharon, monkeypatch: pytest.MonkeyPatch
) -> Iterator[gateway.Gateway]:
    """A gateway whose process is held up after each packet until charon has answered it."""
    sandbox = cast(Sandbox, directory)

    class HeldUpChannel(vici.Channel):
        sent = 0

        def _enqueue(self, *arguments: Any) -> None:
            super()._enqueue(*arguments)
            self.sent += 1

        def _flush(self) -> None:
            super()._flush()
            while self._unsent:  # more than a socket takes at once
                select.select([], [self._socket], [], 5)
                super()._flush()
            prompt.wait_answered(self.sent)

    monkeypatch.setattr(gateway, "Channel", HeldUpChannel)
    service = gateway.Gateway(sandbox, charon.KERNEL, 0)
    service.set_installed(True)
    yield service
    service.release()
    prompt.join(timeout=5)


def want(*members: dict[str, Any], generation: int) -> Workload:
    document = json.dumps({"outer_addresses": [A.outer], "connections": members})
    parsed = connections.parse(document)
    settings = connections.Settings(parsed.outer_addresses, parsed.connections, 1400)
    secrets = tuple(sorted((each["id"], "secret") for each in members))
    return Workload("ipsec", settings, secrets, active=True, generation=generation)


def run_until_reached(service: gateway.Gateway, generation: int) -> None:
    """Runs the service as its wake-ups ask for; it must not lie idle with something to do."""
    for _ in range(20):
        service.run(monotonic_ms())
        status = service.status()
        if (status.code, status.reached_generation) == (RUNNING, generation):
            return
        waits = Waits(monotonic_ms())
        service.wait(cast(Any, waits), waits.now_ms)
        poll = select.poll()
        for descriptor, events in waits.descriptors.items():
            poll.register(descriptor, events)
        pause_ms = _LONGEST_WAIT_MS
        if waits.at_ms is not None:
            pause_ms = min(pause_ms, waits.at_ms - waits.now_ms)
        fired = poll.poll(pause_ms)
        assert fired or pause_ms < _LONGEST_WAIT_MS, f"asleep with {generation} not reached"
    pytest.fail(f"{generation} is never reached")


def test_an_answer_that_comes_while_asking_is_not_slept_over(service: gateway.Gateway) -> None:
    service.apply(want(connect(A, B), generation=1))
    run_until_reached(service, 1)
    service.apply(want(connect(A, B), connect(A, C), generation=2))
    run_until_reached(service, 2)
    service.apply(want(connect(A, B), generation=3))
    run_until_reached(service, 3)


def test_a_key_that_charon_cannot_be_told_harms_its_connection_only(
    service: gateway.Gateway,
) -> None:
    wanted = want(connect(A, B), connect(A, C), generation=0)
    (first, key), (second, _) = wanted.secrets
    service.apply(replace(wanted, secrets=((first, key), (second, "x" * 70_000))))
    run_until_reached(service, 0)
    assert service.status().message.endswith("it has more than charon can be told")
    service.apply(replace(wanted, generation=1))
    run_until_reached(service, 1)
    assert service.status().message == "charon runs and has its configuration"


def run_two(service: gateway.Gateway, prompt: PromptCharon) -> Workload:
    """Has two connections run; what charon was asked for them is forgotten."""
    wanted = want(connect(A, B), connect(A, C), generation=1)
    service.apply(wanted)
    run_until_reached(service, 1)
    del prompt.commands[:]
    return wanted


def test_a_secret_that_cannot_be_read_any_more_leaves_what_runs(
    service: gateway.Gateway, prompt: PromptCharon
) -> None:
    wanted = run_two(service, prompt)
    service.apply(replace(wanted, secrets=wanted.secrets[:1], generation=2))
    run_until_reached(service, 2)
    assert service.status().message.endswith("it has no pre-shared key")
    assert not {"unload-conn", "unload-shared", "terminate", "load-conn"} & set(prompt.commands)


def test_a_change_of_load_balancers_is_nothing_to_charon(
    service: gateway.Gateway, prompt: PromptCharon
) -> None:
    wanted = run_two(service, prompt)
    at = Endpoint(ip_address(A.inner), 80)
    settings = replace(
        cast(connections.Settings, wanted.settings), balancers=(VirtualAddress(at, "tcp", (at,)),)
    )
    service.apply(replace(wanted, settings=settings, generation=2))
    run_until_reached(service, 2)
    assert not {"unload-conn", "unload-shared", "terminate", "load-conn"} & set(prompt.commands)


def test_a_charon_that_is_just_ending_is_not_one_that_does_not_open_its_socket(
    service: gateway.Gateway, prompt: PromptCharon, directory: Directory
) -> None:
    """It closes its socket a while before its pidfd tells the end."""
    service.apply(want(connect(A, B), generation=1))
    run_until_reached(service, 1)
    prompt.hang_up()
    late_ms = monotonic_ms() + 600_000
    for moment_ms in (late_ms, late_ms + 100, late_ms + 5000):
        service.run(moment_ms)
        assert (service.status().code, directory.daemon.killed) == (STARTING, 0)
    service.run(late_ms + 5001)
    assert directory.daemon.killed == 1
    assert service.status().code == ERROR
    assert service.status().message.startswith("charon does not open its vici socket")


def test_a_newcomer_that_is_too_much_harms_itself_only(
    service: gateway.Gateway, prompt: PromptCharon
) -> None:
    """Those of one IKE connection are told charon in one message."""
    first = connect(A, B)
    many = [f"10.{number}.0.0/24" for number in range(16)]
    algorithms = ["aes256-sha256-modp2048-" + "-".join(["modp3072"] * 60)]
    newcomers = [
        connect(A, B, id=str(UUID(int=number)), name=f"n{number}", esp_proposals=algorithms)
        | {
            "local_subnets": many,
            "peer_subnets": [f"11.{number}.{each}.0/24" for each in range(16)],
        }
        for number in range(1, 5)
    ]
    service.apply(want(first, generation=1))
    run_until_reached(service, 1)
    service.apply(want(first, *newcomers, generation=2))
    run_until_reached(service, 2)
    assert "it has more than charon can be told" in service.status().message
    told = {each.name: each.message for each in service.items()}
    assert "more than charon" not in told[first["id"]]
    assert sum("more than charon" in each for each in told.values()) in range(1, 4)


def test_a_newcomer_that_charon_refuses_is_not_initiated(
    service: gateway.Gateway, prompt: PromptCharon
) -> None:
    """Both are children of one IKE connection, of which charon goes on having the older version."""
    first = connect(A, B)
    newcomer = {"id": "00000000-0000-4000-8000-000000000002", "name": "newcomer"}
    second = {**connect(A, B), **newcomer, "peer_subnets": ["10.99.0.0/24"]}
    service.apply(want(first, generation=1))
    run_until_reached(service, 1)
    service.set_installed(True)
    prompt.refused = {"load-conn"}
    service.apply(want(first, second, generation=2))
    run_until_reached(service, 2)
    for _ in range(20):
        service.run(0)
    assert prompt.commands.count("initiate") == 1
    told = [each.message for each in service.items()]
    assert any("it is refused" in each for each in told)
