"""Does to the lab what fails in a cloud: processes, hosts and networks end, stop and come back."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass

from . import chassis, cloud, process
from .errors import LabError
from .host import Host
from .state import Lab
from .tenant import Tenant

LEAVING_S = 15
ANSWER_S = 2
# What watches a process starts it once in ten seconds.
RESTART_S = 12


@dataclass
class Failures:
    """The operations of soak_rules.py that break something, and those that mend it."""

    lab: Lab
    tenants: dict[int, Tenant]
    containers: dict[int, str]

    def _find_tenant(self, target: str) -> Tenant:
        return self.tenants[int(target)]

    def _do_kill(self, target: str, value: str) -> None:
        cloud.kill_process(self.lab.get_host(target), value)

    def _do_start(self, target: str, value: str) -> None:
        cloud.start_process(self.lab.get_host(target), value)

    def _do_stop(self, target: str, value: str) -> None:
        cloud.kill_process(self.lab.get_host(target), value, signal.SIGSTOP)

    def _do_continue(self, target: str, value: str) -> None:
        cloud.kill_process(self.lab.get_host(target), value, signal.SIGCONT)

    def _do_pause(self, target: str, value: str) -> None:
        name, length = value.split()
        host = self.lab.get_host(target)
        cloud.kill_process(host, name, signal.SIGSTOP)
        time.sleep(float(length))
        cloud.kill_process(host, name, signal.SIGCONT)

    def _do_crash(self, target: str, value: str) -> str:
        """Ends a process as a failed assertion does; what watches it, or else this, starts it."""
        host = self.lab.get_host(target)
        cloud.kill_process(host, value, signal.SIGABRT)
        try:
            again = f"{value} to be started again"
            process.wait_until(lambda: bool(host.find_processes(value)), again, RESTART_S)
        except LabError:
            cloud.start_process(host, value)
            return "nothing started it again"
        return "it was started again"

    def _do_leave(self, target: str, _value: str) -> str:
        """Ends svc-controller for good; by force if its containers have no other place to go to."""
        host = self.lab.get_host(target)
        try:
            chassis.ask_controller(host, LEAVING_S, "exit", "--cleanup")
        except LabError:
            words = ask_what_is_left(host)
            left = host.find_processes("svc-controller")
            cloud.signal_processes(host, "svc-controller", left)
            return f"{'killed' if left else 'ended'}, since it had not left in time: {words}"
        process.wait_until(lambda: not host.find_processes("svc-controller"), "its end")
        return ""

    def _do_kill_charon(self, target: str, _value: str) -> str:
        return self._signal_charon(target, signal.SIGKILL)

    def _do_stop_charon(self, target: str, _value: str) -> str:
        return self._signal_charon(target, signal.SIGSTOP)

    def _signal_charon(self, target: str, number: signal.Signals) -> str:
        name = self.containers[int(target)]
        for host in self._list_alive():
            for charon in host.find_processes(f"charon@{name}"):
                charon.kill(number)
                return f"on {host.name}"
        return "none runs"

    def _do_delete_netns(self, target: str, _value: str) -> str:
        name = self.containers[int(target)]
        for host in self._list_alive():
            if name in list_namespaces(host):
                return delete_namespace(host, name)
        return "there is none"

    def _list_alive(self) -> list[Host]:
        return [host for host in self.lab.list_chassis() if host.find_init() is not None]

    def _do_kill_site(self, target: str, _value: str) -> None:
        host = self.lab.get_host(self._find_tenant(target).site)
        cloud.kill_process(host, "charon")
        cloud.start_process(host, "charon")

    def _do_kill_chassis(self, target: str, _value: str) -> None:
        self.lab.get_host(target).kill()

    def _do_start_chassis(self, target: str, _value: str) -> None:
        cloud.boot(self.lab, self.lab.get_host(target))

    def _do_partition(self, target: str, _value: str) -> None:
        cloud.partition(self.lab, self.lab.get_host(target))

    def _do_heal(self, target: str, _value: str) -> None:
        cloud.heal(self.lab, self.lab.get_host(target))


def ask_what_is_left(host: Host) -> str:
    """Returns what a svc-controller that is to leave waits for.

    One that hangs, or ends while it is asked, is an answer too.
    """
    try:
        return chassis.ask_controller(host, ANSWER_S, "cleanup-status")
    except LabError as error:
        return f"it does not say what it waits for: {error}"


def list_namespaces(host: Host) -> list[str]:
    """Returns the names of a host's network namespaces, among other words."""
    return host.run("ip", "netns", "list").split()


def delete_namespace(host: Host, name: str) -> str:
    """Deletes a namespace that svc-controller may delete at the same time."""
    try:
        host.run("ip", "netns", "delete", name)
    except LabError:
        if name in list_namespaces(host):
            raise
        return f"it went from {host.name} by itself"
    return f"on {host.name}"
