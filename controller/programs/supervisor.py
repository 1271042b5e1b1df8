"""Keeps the programs of a container running, for a type that only says what they are.

Made by driver.py for a type that is no ServiceMaker.  Each program runs in the
namespace in a session of its own and outlives svc-controller; program.py has
one of them, linux/process.py the process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import ovs.poller

from ...lib.loop import monotonic_ms
from ...services.api import host
from ...services.api.digest import load_key
from ...services.api.host import Sandbox, Workload
from ...services.api.item import Item
from .program import PREFIX, SupervisedProgram

_STANDS_BY = "ready; stands by"


class Supervisor:
    """A services.api Service; 'restarts' is how often programs were started again before."""

    def __init__(self, sandbox: Sandbox, restarts: int) -> None:
        self._sandbox = sandbox
        self._former_restarts = restarts
        self._wanted: Workload | None = None
        self._programs: dict[str, SupervisedProgram] = {}
        self._installed = False
        self._serves = False
        self._reached = 0

    # -- Service -------------------------------------------------------------

    def apply(self, wanted: Workload) -> None:
        key = load_key(self._sandbox.directory)
        self._wanted = wanted
        names = {each.name for each in wanted.programs}
        for name in names | self._find_left():
            self._programs.setdefault(name, SupervisedProgram(self._sandbox, name, key))
        self._want_programs()

    def set_installed(self, installed: bool) -> None:
        if installed != self._installed:
            self._installed = installed
            self._want_programs()

    def run(self, now_ms: int) -> None:
        if self._wanted is None:
            return
        for program in self._programs.values():
            program.run(now_ms)
        self._forget_gone({each.name for each in self._wanted.programs})
        if all(each.is_reached(now_ms) for each in self._programs.values()):
            self._reached = self._wanted.generation

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        for program in self._programs.values():
            program.wait(poller, now_ms)

    def status(self) -> host.Status:
        programs = [self._programs[name] for name in sorted(self._programs)]
        restarts = self._former_restarts + sum(each.restarts.count for each in programs)
        problems = [each.problem for each in programs if each.problem is not None]
        if problems:
            return host.Status(host.ERROR, "; ".join(problems), self._reached, restarts)
        if self._wanted is None or not all(each.known for each in self._find_serving()):
            return host.Status(host.UNKNOWN, "")
        now_ms = monotonic_ms()
        reached = all(each.is_reached(now_ms) for each in self._find_serving())
        code = host.RUNNING if reached and self._reached else host.STARTING
        return host.Status(code, self._find_message(code), self._reached, restarts)

    def items(self) -> Sequence[Item]:
        if not self._active:
            return ()
        found = (
            item for name in sorted(self._programs) for item in self._programs[name].status.items
        )
        by_key = {(item.kind, item.name): item for item in found}
        return list(by_key.values())

    def metrics(self) -> Mapping[str, float]:
        metrics: dict[str, float] = {}
        for name in sorted(self._programs):
            metrics.update(self._programs[name].status.metrics)
        return metrics

    def check(self) -> None:
        for program in self._programs.values():
            program.check()

    def stop(self) -> bool:
        """Ends the programs, also those that only their directories tell of."""
        key = load_key(self._sandbox.directory)
        for name in self._find_left():
            self._programs.setdefault(name, SupervisedProgram(self._sandbox, name, key))
        now_ms = monotonic_ms()
        for program in self._programs.values():
            program.unwant()
            program.run(now_ms)
        return all(each.gone for each in self._programs.values())

    def release(self) -> None:
        for program in self._programs.values():
            program.release()

    # -- helpers, in the order they are called -----------------------------------

    def _find_left(self) -> set[str]:
        """Returns the programs that have a directory."""
        try:
            with os.scandir(self._sandbox.directory) as entries:
                names = [each.name for each in entries if each.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return set()
        return {each.removeprefix(PREFIX) for each in names if each.startswith(PREFIX)}

    def _want_programs(self) -> None:
        """Tells each program whether it is to run.

        One that runs on active containers only begins once OVN has installed
        the port, and goes on without until the container stands by.
        """
        if self._wanted is None:
            return
        self._serves = self._active and (self._serves or self._installed)
        secrets = dict(self._wanted.secrets)
        wanted = {each.name: each for each in self._wanted.programs}
        for name, supervised in self._programs.items():
            program = wanted.get(name)
            if program is None or (program.active_only and not self._serves):
                supervised.unwant()
            else:
                supervised.want(program, secrets)

    @property
    def _active(self) -> bool:
        return self._wanted is not None and self._wanted.active

    def _forget_gone(self, wanted: set[str]) -> None:
        for name in [each for each in self._programs if each not in wanted]:
            if self._programs[name].gone:
                self._programs.pop(name).remove_directory()

    def _find_serving(self) -> list[SupervisedProgram]:
        """Returns the programs of the plan."""
        assert self._wanted is not None
        return [self._programs[each.name] for each in self._wanted.programs]

    def _find_message(self, code: str) -> str:
        remarks = [each.remark for each in self._programs.values() if each.remark]
        if remarks:
            return "; ".join(remarks)
        if code == host.STARTING:
            return "programs are starting"
        return "programs run" if self._active else _STANDS_BY
