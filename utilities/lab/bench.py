"""The bench: figures from a lab of real parts, as a table and as JSON.

Every figure is the median of several runs, the lower of two in the middle; times of commands stand
beside those of the same kind of ovn-nbctl command, run in turn with them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from . import (
    change,
    cloud,
    commands,
    database,
    gaps,
    process,
    recompute,
    replica,
    scale,
    tenant,
    tls_cost,
    traffic,
)
from .errors import LabError
from .figure import Figure
from .host import VENV_BIN, Host
from .main import format_environment
from .state import Lab, get_lab

SITE_HOST = "192.168.2.10"
SHORT_INTERVAL_S = 0.01  # for gaps that are shorter than the usual interval
OWNER = "bench"
DIRECTORY = "/run/ovnsvc-bench"
SCALES = (10, 100, 1000)
DAEMONS = {
    "central": ("svc-northd", "svcnb_db", "svcsb_db", "ovn-northd"),
    "hv1": ("svc-controller", "charon", "ovn-controller", "ovs-vswitchd"),
}
COMMANDS = (
    (("--version",), ("--version",)),
    (("list", "Container_Group"), ("list", "Logical_Switch")),
    (("group-add", "bench", "least"), ("ls-add", "bench")),
    (("get", "Container_Group", "bench", "policy"), ("get", "Logical_Switch", "bench", "name")),
    (("group-del", "bench"), ("ls-del", "bench")),
)


Part = Callable[[Lab, int], Iterator[Figure]]


def run_commands(lab: Lab, runs: int) -> Iterator[Figure]:
    """svcctl against ovn-nbctl: the whole time of a command, its start included."""
    environment = {**os.environ, **format_environment(lab)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # not what an operator's shell has
    times: dict[int, tuple[list[float], list[float]]] = {
        number: ([], []) for number in range(len(COMMANDS))
    }
    for _ in range(runs):
        for number, (ours, theirs) in enumerate(COMMANDS):
            times[number][0].append(time_ms([str(VENV_BIN / "svcctl"), *ours], environment))
            times[number][1].append(time_ms(["ovn-nbctl", *theirs], environment))
    for number, (ours, theirs) in enumerate(COMMANDS):
        own, others = times[number]
        yield Figure(f"svcctl {' '.join(ours)}", "ms", own, f"ovn-nbctl {theirs[0]}", others)


def time_ms(argv: Sequence[str], environment: dict[str, str]) -> float:
    """Returns how long a command takes."""
    started = time.perf_counter()
    subprocess.run(argv, env=environment, check=True, capture_output=True)
    return (time.perf_counter() - started) * 1000


def run_start(lab: Lab, runs: int) -> Iterator[Figure]:
    """From the commit of a new VPN to its container, its tunnel, and to nothing again."""
    running, up, answered, gone = [], [], [], []
    for _ in range(runs):
        committed = time.monotonic()
        gaps.add_vpn(lab, tenant.FIRST)
        wait_column(lab, "Service_Container", "status_code", "running")
        running.append(time.monotonic() - committed)
        wait_column(lab, "VPN_Service", "status", "up")
        up.append(time.monotonic() - committed)
        traffic.wait_reachable(lab, "vm2", SITE_HOST, gaps.TIMEOUT_S)
        answered.append(time.monotonic() - committed)
        deleted = time.monotonic()
        gaps.delete_vpns(lab)
        gaps.wait(lambda: not count_charons(lab), "end of charon")
        gone.append(time.monotonic() - deleted)
    yield Figure("commit to container running", "s", running, aim=1.0)
    yield Figure("commit to tunnel established", "s", up, aim=2.0)
    yield Figure("commit to first answer through the tunnel", "s", answered)
    yield Figure("delete to end of charon", "s", gone)


def count_charons(lab: Lab) -> int:
    """Returns how many charons run on all chassis."""
    return sum(len(host.find_processes("charon")) for host in lab.list_chassis())


def run_deaths(lab: Lab, runs: int) -> Iterator[Figure]:
    """Death of charon, then of our two daemons, seen by a ping through the tunnel."""
    silent, back, lost = [], [], []
    gaps.add_vpn(lab, tenant.FIRST)
    wait_column(lab, "VPN_Service", "status", "up")
    traffic.wait_reachable(lab, "vm2", SITE_HOST, gaps.TIMEOUT_S)
    host = lab.get_host(get_column(lab, "Service_Container", "chassis"))
    for _ in range(runs):
        ping = traffic.Ping(lab, "vm2", SITE_HOST, SHORT_INTERVAL_S)
        ping.wait_answers(5)
        killed = time.monotonic()
        cloud.kill_process(host, "charon")
        gaps.wait(lambda: bool(host.find_processes("charon")), "charon")
        back.append(time.monotonic() - killed)
        ping.wait_answers(100)
        silent.append(ping.stop().longest_gap_s)
        wait_column(lab, "VPN_Service", "status", "up")
        lost.append(float(count_lost(lab, host)))
    gaps.delete_vpns(lab)
    yield Figure("kill of charon to a new charon", "s", back, aim=3.0)
    yield Figure("kill of charon to traffic back", "s", silent)
    yield Figure("lost while svc-northd, svc-controller restart", "", lost, aim=0.0)


def count_lost(lab: Lab, host: Host) -> float:
    """Returns the packets lost while both daemons are killed and started again."""
    ping = traffic.Ping(lab, "vm2", SITE_HOST)
    ping.wait_answers(5)
    daemons = ((lab.get_host("central"), "svc-northd"), (host, "svc-controller"))
    for each, name in daemons:
        cloud.kill_process(each, name)
    for each, name in daemons:
        cloud.start_process(each, name)
    gaps.wait(lambda: gaps.count_alive(lab) == len(lab.list_chassis()), "every chassis alive")
    ping.wait_answers(20)
    return ping.stop().lost


def run_recompute(_lab: Lab, runs: int) -> Iterator[Figure]:
    """svc-northd's full recompute, on databases of its own."""
    for number in SCALES:
        samples = recompute.measure(number, runs)
        yield Figure(f"full recompute with {number} VPN services", "ms", samples)


def run_change(_lab: Lab, runs: int) -> Iterator[Figure]:
    """What a change costs svc-northd, whatever else there is; on databases of its own."""
    return change.measure(runs)


def run_scale(_lab: Lab, runs: int) -> Iterator[Figure]:
    """Death of a tenth of many chassis, on databases of its own."""
    samples = scale.measure(runs)
    name = f"{scale.DEATHS} of {scale.CHASSIS} chassis dead to new bindings"
    yield Figure(name, "ms", samples, aim=2000.0)


def run_memory(lab: Lab, runs: int) -> Iterator[Figure]:
    """Resident memory of each daemon with one VPN."""
    gaps.add_vpn(lab, tenant.FIRST)
    wait_column(lab, "VPN_Service", "status", "up")
    place = get_column(lab, "Service_Container", "chassis")
    for kind, names in DAEMONS.items():
        host = lab.get_host("central" if kind == "central" else place)
        for name in names:
            yield Figure(f"memory of {name}", "MB", [read_memory_mb(host, name)] * min(runs, 1))
    gaps.delete_vpns(lab)


def read_memory_mb(host: Host, name: str) -> float:
    """Returns the resident memory of the biggest process called 'name' on 'host'."""
    sizes = []
    for found in host.find_processes(name):
        for line in Path(f"/proc/{found.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                sizes.append(int(line.split()[1]) / 1024)
    return max(sizes, default=0.0)


def get_column(lab: Lab, table: str, column: str) -> str:
    """Returns a column of the table's only row, "" if there is none."""
    rows = database.select(lab, "SVC_Northbound", table)
    value = rows[0][column] if rows else ""
    return value if isinstance(value, str) else ""


def wait_column(lab: Lab, table: str, column: str, value: str) -> None:
    """Returns once the column of the table's only row has that value."""
    gaps.wait(lambda: get_column(lab, table, column) == value, f"{table}:{column} {value}")


def run_replica(_lab: Lab, runs: int) -> Iterator[Figure]:
    """What a row costs a daemon, on databases of its own."""
    for kind in replica.KINDS:
        costs = [replica.measure(kind) for _ in range(runs)]
        yield Figure(f"replica: a {kind.name}", "bytes", [each.bytes for each in costs])
        yield Figure(f"replica: load of a {kind.name}", "us", [each.load_us for each in costs])


def run_many_rows(_lab: Lab, runs: int) -> Iterator[Figure]:
    """Commands with very many rows, against ovn-nbctl; on databases of its own."""
    return commands.measure(runs)


def run_tls(_lab: Lab, runs: int) -> Iterator[Figure]:
    """TLS beside TCP, on databases of its own."""
    return tls_cost.measure(runs)


PARTS: dict[str, Part] = {
    "commands": run_commands,
    "start": run_start,
    "deaths": run_deaths,
    "gaps": gaps.measure,
    "recompute": run_recompute,
    "change": run_change,
    "rows": run_many_rows,
    "scale": run_scale,
    "memory": run_memory,
    "replica": run_replica,
    "tls": run_tls,
}
# Those that have databases of their own need no lab.
WITHOUT_LAB = frozenset({"rows", "recompute", "change", "scale", "replica", "tls"})


@contextlib.contextmanager
def a_lab(say: Callable[[str], None]) -> Iterator[Lab]:
    """A lab of three chassis with two tenants and their sites, for as long as it is used."""
    lab = get_lab(DIRECTORY)
    try:
        cloud.up(lab, cloud.Plan(3, northds=2), say, OWNER)
        for each in (tenant.FIRST, gaps.OTHER):
            tenant.build(lab, say, each)
            tenant.add_site(lab, each, gaps.PSK)
        gaps.wait(lambda: gaps.count_alive(lab) == 3, "every chassis alive")
        yield lab
    finally:
        process.ignore_interrupts()
        cloud.down(lab, say, OWNER)


def find_lab(parts: Sequence[str]) -> contextlib.AbstractContextManager[Lab]:
    """Returns a lab that is built if any of 'parts' needs one."""
    if WITHOUT_LAB.issuperset(parts):
        return contextlib.nullcontext(get_lab(DIRECTORY))
    return a_lab(lambda words: print(f"bench: {words}", flush=True))


def print_figure(figure: Figure) -> None:
    """Prints one row of the table."""
    spread = f"{min(figure.samples):.4g}..{max(figure.samples):.4g}"
    row = f"{figure.name:44} {figure.median:9.4g} {figure.unit:3} {spread:>18}"
    if figure.ratio is not None:
        row += f"   {figure.ratio:.2g} x {figure.peer_median:.4g} {figure.unit} of {figure.peer}"
    if figure.aim is not None:
        row += f"   aim {figure.aim:g} {figure.unit}"
    print(row, flush=True)


def main(argv: Sequence[str]) -> int:
    """Measures the parts asked for; returns the exit status."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--only", default=",".join(PARTS), metavar="PART[,..]")
    options = parser.parse_args(argv)
    wanted = options.only.split(",")
    unknown = [name for name in wanted if name not in PARTS]
    if unknown or options.runs < 1:
        print(f"bench: unknown part {unknown[0]}" if unknown else "bench: --runs", file=sys.stderr)
        return 1
    figures: list[Figure] = []
    process.raise_on_sigterm()
    try:
        with find_lab(wanted) as lab:
            print("medians; 'N x T of COMMAND': N times the T that the peer's command takes")
            print(f"{'what':44} {'median':>9} {'':3} {'least..most':>18}")
            for name in wanted:
                for figure in PARTS[name](lab, options.runs):
                    figures.append(figure)
                    print_figure(figure)
    except LabError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as interrupt:
        print("bench: interrupted", file=sys.stderr)
        return process.get_exit_status(interrupt)
    if options.json:
        rows = [{**asdict(each), "median": each.median, "ratio": each.ratio} for each in figures]
        Path(options.json).write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
