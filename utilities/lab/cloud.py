"""The lab as a whole: brings it up, takes it down, kills and starts its hosts and processes."""

from __future__ import annotations

import contextlib
import shutil
import signal
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

from . import central, chassis, fabric, guest, peer, peer_conf, process, transport
from .errors import LabError
from .host import Host, kill_supervised
from .state import Lab, locked

CHASSIS_MAX = 200
# What runs on a host of each kind: a module with list_processes() and start().
ROLES: dict[str, ModuleType] = {"central": central, "chassis": chassis, "peer": peer}


def run_parallel(tasks: Iterable[Callable[[], None]]) -> None:
    """Runs all tasks at once; raises what the first of them to fail raised, after all ended."""
    with ThreadPoolExecutor() as pool:
        futures = [pool.submit(task) for task in tasks]
    for future in futures:
        future.result()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a lab is to have.

    Processes named in 'without' are not started, now or at a host's boot; start_process does.
    'by' is how chassis reach the southbound (transport.py).
    """

    chassis: int
    northds: int = 1
    without: Sequence[str] = ()
    by: str = transport.TLS

    def check(self) -> None:
        """Raises LabError for what no lab has."""
        if not 1 <= self.chassis <= CHASSIS_MAX:
            raise LabError(f"--chassis={self.chassis}: a lab has 1 to {CHASSIS_MAX} chassis")
        if not 1 <= self.northds <= central.NORTHDS_MAX:
            most = central.NORTHDS_MAX
            raise LabError(f"--northds={self.northds}: a lab has 1 to {most} svc-northds")

    def format_settings(self) -> dict[str, str]:
        """Returns the settings of central and of each chassis."""
        without = ",".join(self.without)
        return {"without": without, "northds": f"{self.northds}", "transport": self.by}


def up(lab: Lab, plan: Plan, say: Callable[[str], None], owner: str = "") -> None:
    """Builds the cloud.  Cleans first what an aborted `up` has left.

    'owner' is the program that the lab is for: when it builds one, it replaces its last one.
    """
    plan.check()
    with locked(lab, create=True):
        if lab.is_up() and (not owner or lab.find_owner() != owner):
            raise LabError(f"a lab is up in {lab.directory} ('utilities/svc-lab down' removes it)")
        if (lab.directory / "hosts").exists():
            say("cleaning what is left of an earlier lab")
            remove(lab)
        say(f"building central and {plan.chassis} chassis in {lab.directory}")
        make_hosts(lab, plan.chassis, plan.format_settings())
        if plan.by == transport.TLS:
            transport.make_keys(lab)
        boot_hosts(lab, say)
        (lab.directory / "up").write_text(owner)


def make_hosts(lab: Lab, chassis_number: int, settings: dict[str, str]) -> None:
    """Makes the directories of all hosts; central and the chassis get 'settings' among others."""
    lab.make_host("fabric", {"kind": "fabric"})
    central_address = str(fabric.MGMT_NETWORK[1])
    lab.make_host("central", settings | {"kind": "central", "mgmt": f"{central_address}/16"})
    for number in range(1, chassis_number + 1):
        own = {
            "kind": "chassis",
            "mgmt": f"{fabric.MGMT_NETWORK[10 + number]}/16",
            "underlay": f"{fabric.UNDERLAY_NETWORK[10 + number]}/16",
            "central": central_address,
        }
        lab.make_host(f"hv{number}", settings | own)


def boot_hosts(lab: Lab, say: Callable[[str], None]) -> None:
    """Boots all hosts, the chassis in parallel."""
    lab.get_host("fabric").boot()
    fabric.build(lab.get_host("fabric"))
    boot(lab, lab.get_host("central"))
    say("central is running")
    run_parallel(partial(boot, lab, host) for host in lab.list_chassis())
    say(f"{', '.join(host.name for host in lab.list_chassis())} are running")


def boot(lab: Lab, host: Host) -> None:
    """Boots a host and starts all that is meant to run on it, guests included."""
    kind = host.settings["kind"]
    if kind == "fabric":
        raise LabError("fabric: it cannot be started again ('svc-lab down', then 'svc-lab up')")
    host.boot()
    fabric.plug(lab.get_host("fabric"), host)
    if kind == "peer":
        peer.build(host)
    for name in list_processes(host):
        if name not in host.settings.get("without", "").split(","):
            ROLES[kind].start(host, name)
    for each in guest.list_guests(host):
        guest.start(host, each)


def list_processes(host: Host) -> tuple[str, ...]:
    """Returns what is meant to run on a host, in the order of starting."""
    role = ROLES.get(host.settings["kind"])
    return tuple(role.list_processes(host)) if role else ()


def start_process(host: Host, name: str) -> None:
    """Starts one process of a running host."""
    if name not in list_processes(host):
        known = ", ".join(list_processes(host)) or "nothing"
        raise LabError(f"{name}: {host.name} runs {known}")
    if host.find_processes(name):
        raise LabError(f"{name}: it is running on {host.name} already")
    ROLES[host.settings["kind"]].start(host, name)


def kill_process(host: Host, name: str, number: signal.Signals = signal.SIGKILL) -> None:
    """Sends a signal to the processes called 'name'; returns when it has had its effect.

    SIGSTOP stops them and SIGCONT lets them go on; after any other signal they are to end.
    """
    found = host.find_processes(name)
    if not found:
        raise LabError(f"{name}: no such process on {host.name}")
    signal_processes(host, name, found, number)


def signal_processes(
    host: Host,
    name: str,
    found: Sequence[process.ProcessId],
    number: signal.Signals = signal.SIGKILL,
) -> None:
    """As kill_process, for those that were found; one that has ended meanwhile is no error."""
    for each in found:
        each.kill(number)
    if number == signal.SIGSTOP:
        # A child that it had just made, and that is called so until its exec, may have ended.
        process.wait_until(
            lambda: all(each.is_stopped() or not each.is_alive() for each in found),
            f"{name}: SIGSTOP",
        )
    elif number != signal.SIGCONT:
        process.wait_until(
            lambda: not any(each.is_alive() for each in found), f"{host.name}: death of {name}"
        )


def partition(lab: Lab, host: Host, networks: Sequence[str] = fabric.INSIDE) -> None:
    """Cuts a host from 'networks'.  What runs on it goes on, and sees nobody there."""
    fabric.cut(lab.get_host("fabric"), host, networks)


def heal(lab: Lab, host: Host) -> None:
    """Ends a partition."""
    fabric.heal(lab.get_host("fabric"), host)


def make_whole(lab: Lab) -> None:
    """Starts every host and process that is dead or stopped, and ends every partition."""
    for host in lab.list_hosts():
        if fabric.find_cut(host):
            heal(lab, host)
        if host.find_init() is None:
            boot(lab, host)
        for name in list_processes(host):
            for found in host.find_processes(name):
                found.kill(signal.SIGCONT)
            if not host.find_processes(name):
                start_process(host, name)


def add_peer(lab: Lab, name: str, site: peer_conf.Site) -> None:
    """Adds a remote site to the provider network and starts it."""
    lab.check_name(f"{name}-lan")
    host = lab.make_host(name, {"kind": "peer", "provider": site.address})
    peer.configure(host, site)
    boot(lab, host)


def del_peer(lab: Lab, name: str) -> None:
    """Removes a remote site."""
    host = lab.get_host(name)
    if host.settings["kind"] != "peer":
        raise LabError(f"{name}: it is no peer")
    host.kill()
    shutil.rmtree(host.directory)


def down(lab: Lab, say: Callable[[str], None], owner: str = "") -> None:
    """Removes the lab, whole or half-built.  Nothing to remove is no error.

    With 'owner', leaves a lab alone that is up and another's.
    """
    if not lab.directory.exists():
        kill_strays(lab)
        say(f"no lab in {lab.directory}")
        return
    with locked(lab):
        if owner and lab.find_owner() not in (None, owner):
            return
        remove(lab)
        others = sorted(each.name for each in lab.directory.iterdir())
        if not others:
            lab.directory.rmdir()
    kept = f" but for {', '.join(others)}, which is not the lab's" if others else ""
    say(f"removed {lab.directory}{kept}")


def remove(lab: Lab) -> None:
    """Kills all hosts, which ends everything, and removes the lab's files but its directory."""
    with contextlib.suppress(FileNotFoundError):
        (lab.directory / "up").unlink()
    directories = sorted(lab.directory.glob("hosts/*"))
    run_parallel(Host(each.name, each).kill for each in directories)
    kill_strays(lab)
    for name in ("hosts", "files"):
        if (lab.directory / name).exists():
            shutil.rmtree(lab.directory / name)


def kill_strays(lab: Lab) -> None:
    """Kills supervisors of this lab whose record is lost, as when somebody removed its files."""
    prefix = f"{lab.directory}/hosts/"
    for pid in process.list_pids():
        arguments = process.read_cmdline(pid)
        start_ticks = process.find_start_ticks(pid)
        is_boot = any(Path(argument).name == "boot" for argument in arguments[:-1])
        if is_boot and start_ticks and any(word.startswith(prefix) for word in arguments):
            kill_supervised(process.ProcessId(pid, start_ticks))
