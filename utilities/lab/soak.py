"""The soak: random operations on a lab, and after each round the laws.

Prints every operation with its time.  The seed alone decides which operations come, so that a run
that failed can be had again; what becomes of them is up to the processes of the lab.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence

from . import cloud, database, process, tenant, traffic
from .central import list_northds
from .errors import LabError
from .soak_actions import Actor
from .soak_choice import choose_round, lead, plan_mending
from .soak_laws import Broken, Laws
from .soak_model import Operation, State, place_guest
from .state import Lab, get_lab
from .tenant import Tenant

OWNER = "soak"
DIRECTORY = "/run/ovnsvc-soak"
PSK = "only for the soak"
TENANTS = 3
NORTHDS = 2


def make_tenants(chassis: Sequence[str]) -> dict[int, Tenant]:
    """Returns the tenants: each with a guest and a best gateway chassis of its own."""
    found = {}
    for number in range(1, TENANTS + 1):
        turned = [*chassis[number % len(chassis) :], *chassis[: number % len(chassis)]]
        guests = {f"guest{number}": place_guest(chassis, number)}
        found[number] = Tenant(number, guests, tuple(turned))
    return found


class Soak:
    """A run on one lab: what was done so far, and the state that it led to."""

    def __init__(self, lab: Lab, seed: int) -> None:
        self.lab = lab
        self.done: Counter[str] = Counter()
        self.rounds = 0
        self._chance = random.Random(seed)
        self._started = time.monotonic()

    def say(self, words: str) -> None:
        """Prints progress, with the time since the start."""
        print(f"[{time.monotonic() - self._started:7.1f} s] {words}", flush=True)

    def build(self, chassis: int) -> None:
        """Builds the lab: tenants, their sites, no VPN yet."""
        cloud.up(self.lab, cloud.Plan(chassis, NORTHDS), self.say, OWNER)
        names = [host.name for host in self.lab.list_chassis()]
        psk_file = self.lab.make_file("psk")
        psk_file.write_text(PSK + "\n")
        tenants = make_tenants(names)
        for each in tenants.values():
            tenant.build(self.lab, self.say, each)
            tenant.add_site(self.lab, each, PSK, second=True)
        self._actor = Actor(self.lab, tenants, psk_file)
        self._actor.make_policies()
        self._laws = Laws(self.lab, tenants, self._actor.containers, second=True)
        northds = list_northds(self.lab.get_host("central"))
        self._state = State(tuple(names), northds, tuple(tenants))

    def do(self, operation: Operation) -> None:
        """Does an operation and says so."""
        self._state = lead(self._state, operation)
        self.done[operation.name] += 1
        self.say(f"  {operation}")
        if words := self._actor.do(operation):
            self.say(f"    {words}")

    def run_round(self) -> None:
        """One round: operations, mending, the laws.  Raises Broken or LabError."""
        self.rounds += 1
        self.say(f"round {self.rounds}")
        capture = traffic.Capture(self.lab, self.lab.make_file("soak.pcap"))
        try:
            for operation in choose_round(self._chance, self._state):
                self.do(operation)
            self._settle(capture)
        finally:
            capture.stop()

    def _settle(self, capture: traffic.Capture) -> None:
        for operation in plan_mending(self._state):
            self.do(operation)
        mended = time.monotonic()
        self._laws.check(self._state, capture)
        self.say(f"  the laws hold {time.monotonic() - mended:.1f} s after the last mending")

    def end(self) -> None:
        """Deletes everything; nothing may be left."""
        self.say("deleting every VPN and group")
        capture = traffic.Capture(self.lab, self.lab.make_file("soak.pcap"))
        try:
            tables = ("VPN_Service", "Container_Group", "Port_Group")
            words = [word for table in tables for word in ("--", "--all", "destroy", table)]
            database.svcctl(self.lab, *words[1:])
            self._state = dataclasses.replace(self._state, vpns={}, groups={}, near={})
            self._settle(capture)
        finally:
            capture.stop()

    def print_summary(self) -> None:
        """Prints how much was done."""
        number = sum(self.done.values())
        self.say(f"{self.rounds} rounds, {number} operations, every law held after each:")
        for name, times in sorted(self.done.items()):
            print(f"    {name:16}{times:5}")


def run(soak: Soak, options: argparse.Namespace) -> None:
    """Builds the lab and does rounds until the time is over, at least one."""
    soak.build(options.chassis)
    deadline = time.monotonic() + options.minutes * 60
    while not soak.rounds or (time.monotonic() < deadline and soak.rounds != options.rounds):
        soak.run_round()
    soak.end()
    soak.print_summary()


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Returns the options."""
    parser = argparse.ArgumentParser(prog="soak", description="random operations on a lab")
    parser.add_argument("--minutes", type=float, default=10, metavar="N", help="default: 10")
    parser.add_argument("--seed", type=int, metavar="S", help="default: by chance")
    parser.add_argument("--chassis", type=int, default=3, metavar="K", help="default: 3")
    parser.add_argument("--rounds", type=int, metavar="N", help="end after so many rounds")
    parser.add_argument("--keep", action="store_true", help="leave the lab up when a law is broken")
    options = parser.parse_args(argv)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1_000_000)
    return options


def main(argv: Sequence[str]) -> int:
    """Runs the soak; returns the exit status."""
    options = parse(argv)
    keep = False
    process.raise_on_sigterm()
    try:
        soak = Soak(get_lab(DIRECTORY), options.seed)
    except LabError as error:
        print(f"soak: {error}", file=sys.stderr)
        return 1
    soak.say(f"seed {options.seed}")
    try:
        run(soak, options)
        return 0
    except (Broken, LabError) as error:
        keep = options.keep and soak.lab.is_up()
        what = "a law is broken" if isinstance(error, Broken) else "the lab fails"
        soak.say(f"{what}: {error}")
        where = f"--seed={options.seed}, round {soak.rounds}"
        print(f"soak: {what} ({where}): {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as interrupt:
        print("soak: interrupted", file=sys.stderr)
        return process.get_exit_status(interrupt)
    finally:
        if keep:
            print(f"soak: the lab is in SVC_LAB_DIR={soak.lab.directory}", file=sys.stderr)
        else:
            process.ignore_interrupts()
            cloud.down(soak.lab, soak.say, OWNER)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
