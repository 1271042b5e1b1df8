"""The lab as a whole: brings it up, takes it down, kills and starts its hosts.

All that the lab is stands under its directory: `hosts/NAME/` for each host, and `up`, a mark that
`up` has come to its end.  One command at a time works on a lab, by a lock on the directory.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import central, chassis, fabric, guest, peer, process
from .errors import LabError
from .host import Host

DEFAULT_DIRECTORY = "/run/ovnsvc-lab"
NAME_LENGTH = 11
LOCK_TIMEOUT_S = 60.0
CHASSIS_MAX = 200


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab, by its directory; it need not exist."""

    directory: Path

    def find_host(self, name: str) -> Host | None:
        """Returns the host of that name, running or dead."""
        directory = self.directory / "hosts" / name
        return Host(name, directory) if (directory / "host.json").exists() else None

    def get_host(self, name: str) -> Host:
        """As find_host, but raises LabError if there is none."""
        host = self.find_host(name)
        if host is None:
            raise LabError(f"{name}: no such host in {self.directory}")
        return host

    def make_host(self, name: str, settings: dict[str, str]) -> Host:
        """Makes a host's directory.  Raises LabError if the name is taken or bad."""
        check_name(name)
        if self.find_host(name) or self.find_guest(name):
            raise LabError(f"{name}: the name is taken")
        host = Host(name, self.directory / "hosts" / name)
        host.create(settings)
        return host

    def list_hosts(self) -> list[Host]:
        """Returns every host, in the order of their names."""
        records = sorted(self.directory.glob("hosts/*/host.json"))
        return [Host(record.parent.name, record.parent) for record in records]

    def list_chassis(self) -> list[Host]:
        """Returns the chassis, in the order of their numbers."""
        found = [host for host in self.list_hosts() if host.settings["kind"] == "chassis"]
        return sorted(found, key=lambda host: int(host.name.removeprefix("hv")))

    def find_guest(self, name: str) -> Host | None:
        """Returns the host that the guest, or a peer's machine behind its gateway, is on."""
        for host in self.list_hosts():
            if name == peer.format_lan(host):
                return host
            if (host.directory / "guests" / f"{name}.json").exists():
                return host
        return None

    def is_up(self) -> bool:
        """Says whether `up` came to its end and `down` has not begun."""
        return (self.directory / "up").exists()


def get_lab() -> Lab:
    """Returns the lab that the environment names: SVC_LAB_DIR, or the default one."""
    return Lab(Path(os.environ.get("SVC_LAB_DIR") or DEFAULT_DIRECTORY).absolute())


def check_name(name: str) -> None:
    """Raises LabError unless 'name' can be a host's or a guest's: it becomes a link's name."""
    if not re.fullmatch(rf"[a-z][a-z0-9-]{{0,{NAME_LENGTH - 1}}}", name):
        raise LabError(
            f"{name}: a name has 1 to {NAME_LENGTH} of a-z, 0-9 and '-', a letter first"
        )


@contextlib.contextmanager
def locked(lab: Lab, create: bool = False) -> Iterator[None]:
    """Keeps other commands off the lab.  Raises LabError if there is no lab to lock."""
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        if create:
            lab.directory.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(lab.directory, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            raise LabError(f"no lab in {lab.directory} ('svc-lab up' builds one)") from None
        try:
            if try_lock(descriptor, lab.directory):
                yield
                return
        finally:
            os.close(descriptor)
        if time.monotonic() > deadline:
            raise LabError(f"another svc-lab has been at work on {lab.directory} for too long")
        time.sleep(0.1)


def try_lock(descriptor: int, directory: Path) -> bool:
    """Locks an open directory; False if another has it or if it is no longer 'directory'."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(descriptor).st_ino == directory.stat().st_ino
    except (BlockingIOError, FileNotFoundError):
        return False


def run_parallel(tasks: Iterable[Callable[[], None]]) -> None:
    """Runs all tasks at once; raises what the first of them to fail raised, after all ended."""
    with ThreadPoolExecutor() as pool:
        futures = [pool.submit(task) for task in tasks]
    for future in futures:
        future.result()


def up(lab: Lab, chassis_number: int, say: Callable[[str], None]) -> None:
    """Builds the cloud.  Cleans first what an aborted `up` has left."""
    if not 1 <= chassis_number <= CHASSIS_MAX:
        raise LabError(f"--chassis={chassis_number}: a lab has 1 to {CHASSIS_MAX} chassis")
    with locked(lab, create=True):
        if lab.is_up():
            raise LabError(f"a lab is up in {lab.directory} ('svc-lab down' removes it)")
        if (lab.directory / "hosts").exists():
            say("cleaning what an aborted 'up' has left")
            remove(lab)
        say(f"building central and {chassis_number} chassis in {lab.directory}")
        build(lab, chassis_number, say)
        (lab.directory / "up").touch()


def build(lab: Lab, chassis_number: int, say: Callable[[str], None]) -> None:
    """Makes and boots all hosts: each on its own, since each is patient with the others."""
    lab.make_host("fabric", {"kind": "fabric"}).boot()
    fabric.build(lab.get_host("fabric"))
    central_address = str(fabric.MGMT_NETWORK[1])
    lab.make_host("central", {"kind": "central", "mgmt": f"{central_address}/16"})
    for number in range(1, chassis_number + 1):
        settings = {
            "kind": "chassis",
            "mgmt": f"{fabric.MGMT_NETWORK[10 + number]}/16",
            "underlay": f"{fabric.UNDERLAY_NETWORK[10 + number]}/16",
            "central": central_address,
        }
        lab.make_host(f"hv{number}", settings)
    boot(lab, lab.get_host("central"))
    say("central: databases, ovn-northd and svc-northd are running")
    run_parallel([lambda host=host: boot(lab, host) for host in lab.list_chassis()])
    count = len(lab.list_chassis())
    say(f"hv1..hv{count}: Open vSwitch, ovn-controller and svc-controller are running")


def boot(lab: Lab, host: Host) -> None:
    """Boots a host and starts all that is meant to run on it, guests included."""
    host.boot()
    kind = host.settings["kind"]
    if kind == "fabric":
        raise LabError("fabric: without it nothing is left ('svc-lab down', then 'svc-lab up')")
    links = {"central": ("mgmt",), "chassis": fabric.NETWORKS}.get(kind, ("provider",))
    # A chassis' own address on the underlay is br-phys's; the link is a port of that bridge.
    bare = ("underlay", "provider") if kind == "chassis" else ()
    addresses = {name: "" if name in bare else host.settings[name] for name in links}
    fabric.plug(lab.get_host("fabric"), host, addresses)
    for name in list_processes(host):
        start_process(host, name)
    if kind == "peer":
        peer.build(host)
    for each in guest.list_guests(host):
        guest.start(host, each)


def list_processes(host: Host) -> tuple[str, ...]:
    """Returns what is meant to run on a host, in the order of starting."""
    kind = host.settings["kind"]
    return {
        "central": central.PROCESSES,
        "chassis": chassis.PROCESSES,
        "peer": peer.PROCESSES,
    }.get(kind, ())


def start_process(host: Host, name: str) -> None:
    """Starts one process of a running host."""
    if name not in list_processes(host):
        known = ", ".join(list_processes(host)) or "nothing"
        raise LabError(f"{name}: {host.name} runs {known}")
    if host.find_processes(name):
        raise LabError(f"{name}: it is running on {host.name} already")
    {"central": central, "chassis": chassis, "peer": peer}[host.settings["kind"]].start(host, name)


def kill_process(host: Host, name: str) -> None:
    """Sends SIGKILL to the processes called 'name'; returns when they are gone."""
    found = host.find_processes(name)
    if not found:
        raise LabError(f"{name}: no such process on {host.name}")
    for each in found:
        each.kill()
    process.wait_until(
        lambda: not any(each.is_alive() for each in found), f"{host.name}: death of {name}"
    )


def down(lab: Lab, say: Callable[[str], None]) -> None:
    """Removes the lab, whole or half-built.  Nothing to remove is no error."""
    if not lab.directory.exists():
        say(f"no lab in {lab.directory}")
        return
    with locked(lab):
        remove(lab)
        lab.directory.rmdir()


def remove(lab: Lab) -> None:
    """Kills all hosts, which ends everything, and removes the lab's files but its directory."""
    with contextlib.suppress(FileNotFoundError):
        (lab.directory / "up").unlink()
    directories = sorted(lab.directory.glob("hosts/*"))
    run_parallel([Host(each.name, each).kill for each in directories])
    kill_strays(lab)
    shutil.rmtree(lab.directory / "hosts", ignore_errors=True)
    if (lab.directory / "hosts").exists():
        shutil.rmtree(lab.directory / "hosts")


def kill_strays(lab: Lab) -> None:
    """Kills inits of this lab whose record is lost, as when somebody removed its files."""
    prefix = f"{lab.directory}/hosts/"
    for pid in process.list_pids():
        arguments = process.read_cmdline(pid)
        start_ticks = process.find_start_ticks(pid)
        is_boot = any(Path(argument).name == "boot" for argument in arguments[:-1])
        if is_boot and start_ticks and any(word.startswith(prefix) for word in arguments):
            process.ProcessId(pid, start_ticks).kill()
