"""The demo: the VPN scenario from two commands to the death of a chassis, with its figures.

Each step prints the command that a person would type and what it answers, does it for real and
takes a figure.  Nothing here knows how the service works: all is seen from outside, by traffic.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence

from . import cloud, peer_conf, process, tenant, traffic
from .errors import LabError
from .host import VENV_BIN
from .main import format_environment
from .state import Lab, get_lab

EXTERNAL = "1.0.0.100"
SITE = "venus"
SITE_ADDRESS = "1.0.0.3"
SITE_SUBNET = "192.168.2.0/24"
SITE_HOST = "192.168.2.10"
GUESTS = {"vm1": "192.168.1.11", "vm2": "192.168.1.12"}
CHASSIS = 3
MEGABYTES = 5
COMMAND_TIMEOUT_S = 60
OWNER = "demo"
TUNNEL_TIMEOUT_S = 20
FAILOVER_TIMEOUT_S = 60


class Demo:
    """The scenario on one lab; 'figures' are the rows of the table at the end."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.figures: list[tuple[str, str]] = []
        self.psk_file = lab.directory / "files" / "psk"
        self._victim = ""
        self._started = time.monotonic()

    def say(self, words: str) -> None:
        """Prints progress, with the time since the start."""
        print(f"[{time.monotonic() - self._started:6.1f} s] {words}", flush=True)

    def note(self, what: str, figure: str) -> None:
        """Keeps a row for the table of results."""
        self.figures.append((what, figure))

    def svcctl(self, *arguments: str, quiet: bool = False) -> str:
        """Runs svcctl as a person would and returns what it printed."""
        if not quiet:
            print(f"\n    $ svcctl {shlex.join(arguments)}", flush=True)
        done = subprocess.run(
            [str(VENV_BIN / "svcctl"), *arguments],
            env={**os.environ, **format_environment(self.lab)},
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_TIMEOUT_S,
        )
        if done.returncode:
            raise LabError(f"svcctl {shlex.join(arguments)}: {done.stderr.strip()}")
        if not quiet:
            print("".join(f"    {line}\n" for line in done.stdout.splitlines()), end="", flush=True)
        return done.stdout

    def find_chassis(self) -> str:
        """Returns the chassis on which the container runs."""
        columns = ("--bare", "--columns=chassis")
        return self.svcctl(*columns, "list", "Service_Container", quiet=True).strip()

    def build(self) -> None:
        """The cloud, the tenant's network and the remote site."""
        cloud.up(self.lab, cloud.Plan(CHASSIS), self.say, OWNER)
        tenant.build(self.lab, self.say)
        self.lab.make_file(self.psk_file.name).write_text(secrets.token_urlsafe(24) + "\n")
        site = peer_conf.Site(
            f"{SITE_ADDRESS}/24",
            (SITE_SUBNET,),
            EXTERNAL,
            (tenant.SUBNET,),
            self.psk_file.read_text().strip(),
        )
        cloud.add_peer(self.lab, SITE, site)
        self.say(f"remote site {SITE}: stock strongSwan at {SITE_ADDRESS}, {SITE_SUBNET} behind it")

    def look_without(self) -> None:
        """No traffic before there is a VPN."""
        if traffic.is_reachable(self.lab, "vm1", SITE_HOST):
            raise LabError("vm1 reaches the remote site before there is a VPN")
        self.say(f"without a VPN vm1 does not reach {SITE_HOST}; now the VPN:")

    def connect(self) -> None:
        """The VPN, from nothing to traffic."""
        self.svcctl("group-add", "vpns", "least")
        started = time.monotonic()
        self.svcctl(*("vpn-add", "mercury", tenant.ROUTER, EXTERNAL, tenant.SUBNET, "--group=vpns"))
        psk = f"--psk-file={self.psk_file}"
        self.svcctl("--wait=hv", "conn-add", "mercury", "to-venus", SITE_ADDRESS, SITE_SUBNET, psk)
        applied = seconds(time.monotonic() - started)
        traffic.wait_reachable(self.lab, "vm1", SITE_HOST, TUNNEL_TIMEOUT_S)
        answered = seconds(time.monotonic() - started)
        self.note("commands to applied on every chassis", applied)
        self.note("commands to first answer through the tunnel", answered)
        self.wait_up()
        self.svcctl("vpn-list")
        self.svcctl("conn-list", "mercury")
        self.svcctl("list", "Service_Container")

    def wait_up(self) -> None:
        """Returns when svcctl, too, says that the tunnel is up."""
        self.svcctl("wait-until", "VPN_Service", "mercury", "status=up", quiet=True)

    def exchange(self) -> None:
        """Traffic between every guest and the remote site, both ways."""
        self.say("traffic between guests on every chassis and the remote site:")
        for name, address in GUESTS.items():
            for source, target in ((name, SITE_HOST), (f"{SITE}-lan", address)):
                if not traffic.is_reachable(self.lab, source, target):
                    raise LabError(f"{source} does not reach {target}")
            there = traffic.transfer(self.lab, name, f"{SITE}-lan", SITE_HOST, MEGABYTES)
            back = traffic.transfer(self.lab, f"{SITE}-lan", name, address, MEGABYTES)
            rates = f"{there:.1f} MB/s out, {back:.1f} MB/s in"
            print(f"    {name} <-> {SITE}: ping ok, {MEGABYTES} MB of TCP each way, {rates}")
            self.note(f"TCP {name} <-> {SITE}", rates)

    def come_from_there(self) -> None:
        """The tunnel, begun by the other side."""
        site = self.lab.get_host(SITE)
        self.say(f"now the tunnel from the other side; ours only answers until {SITE} begins:")
        initiator = ("--wait=hv", "set", "IPsec_Connection", "to-venus")
        self.svcctl(*initiator, "initiator=response-only")
        print(f"\n    {SITE}# swanctl --terminate --ike site --force")
        with contextlib.suppress(LabError):  # there may be none any more
            site.run("swanctl", "--terminate", "--ike", "site", "--force")
        self.svcctl("wait-until", "VPN_Service", "mercury", "status=down", quiet=True)
        print(f"    {SITE}# swanctl --initiate --child site", flush=True)
        started = time.monotonic()
        site.run("swanctl", "--initiate", "--child", "site", "--timeout", "10")
        traffic.wait_reachable(self.lab, f"{SITE}-lan", GUESTS["vm2"], TUNNEL_TIMEOUT_S)
        self.note(f"tunnel begun by {SITE} to first answer", seconds(time.monotonic() - started))
        self.wait_up()
        self.svcctl(*initiator, "initiator=bi-directional")

    def kill_chassis(self) -> None:
        """The death of the chassis that runs the container."""
        victim = self.find_chassis()
        guest = next(name for name, host in tenant.GUEST_HOSTS.items() if host != victim)
        self.say(f"killing chassis {victim}, which runs the container, while {guest} pings")
        ping = traffic.Ping(self.lab, guest, SITE_HOST)
        traffic.wait_reachable(self.lab, guest, SITE_HOST, TUNNEL_TIMEOUT_S)
        self._victim = victim
        self.lab.get_host(victim).kill()
        process.wait_until(
            lambda: self.find_chassis() not in ("", victim),
            "the container's move",
            FAILOVER_TIMEOUT_S,
        )
        traffic.wait_reachable(self.lab, guest, SITE_HOST, FAILOVER_TIMEOUT_S)
        answers = ping.stop()
        gap = seconds(answers.longest_gap_s)
        self.say(f"traffic is back by itself through {self.find_chassis()}: {gap} without traffic")
        self.note(f"death of chassis {victim}: without traffic", gap)
        self.wait_up()
        self.svcctl("list", "Service_Container")
        self.svcctl("chassis-list")

    def revive(self) -> None:
        """The killed chassis, alive again for whoever goes on with the lab."""
        self.say(f"starting {self._victim} again")
        cloud.boot(self.lab, self.lab.get_host(self._victim))

    def delete(self) -> None:
        """The end of the VPN."""
        self.svcctl("--wait=sb", "vpn-del", "mercury")
        left = self.svcctl("--bare", "--columns=name", "list", "Service_Container", quiet=True)
        if left.strip() or traffic.is_reachable(self.lab, "vm2", SITE_HOST):
            raise LabError(f"something is left after vpn-del: {left.strip() or 'traffic passes'}")
        self.say("the VPN is gone, its container and its rows in OVN with it")

    def judge(self, capture: traffic.Capture) -> None:
        """What was seen on the provider network."""
        clear = capture.count(traffic.format_clear(tenant.SUBNET, SITE_SUBNET))
        encrypted = capture.count(traffic.format_encrypted(EXTERNAL, SITE_ADDRESS))
        self.note("provider network: IKE and ESP packets", str(encrypted))
        self.note("provider network: packets in clear", str(clear))
        if clear or not encrypted:
            raise LabError(f"{clear} packets in clear on the provider network")

    def run(self) -> None:
        """Every step; raises LabError at the first that is not as it should be."""
        self.build()
        self.look_without()
        capture = traffic.Capture(self.lab, self.lab.make_file("provider.pcap"))
        try:
            self.connect()
            self.exchange()
            self.come_from_there()
            self.kill_chassis()
        finally:
            capture.stop()
        self.delete()
        self.judge(capture)


def seconds(number: float) -> str:
    """Returns a time as it stands in the table."""
    return f"{number:.2f} s"


def print_table(rows: Sequence[tuple[str, str]]) -> None:
    """Prints the table of results."""
    width = max(len(what) for what, _ in rows)
    print("\nresults")
    for what, figure in rows:
        print(f"    {what:{width}}  {figure}")


def format_next(demo: Demo) -> str:
    """Returns what to try in a lab that is left up; each line works as it stands."""
    connection = f"mercury to-venus {SITE_ADDRESS} {SITE_SUBNET}"
    return f"""
    eval "$(utilities/svc-lab env)"
    svcctl vpn-add mercury {tenant.ROUTER} {EXTERNAL} {tenant.SUBNET} --group=vpns
    svcctl --wait=hv conn-add {connection} --psk-file={demo.psk_file}
    utilities/svc-lab exec vm1 -- ping -c 5 {SITE_HOST}
    svcctl show
    utilities/svc-lab kill "$(svcctl --bare --columns=chassis list Service_Container)" charon
    svcctl container-list
    utilities/svc-lab down
"""


def main(arguments: Sequence[str]) -> int:
    """Runs the demo; returns the exit status."""
    status = 1
    keep = False
    process.raise_on_sigterm()
    try:
        demo = Demo(get_lab())
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return status
    try:
        demo.run()
        print_table(demo.figures)
        if "--keep" in arguments:
            demo.revive()
            keep = True
        status = 0
    except (LabError, subprocess.TimeoutExpired) as error:
        print(f"demo: {error}", file=sys.stderr)
    except KeyboardInterrupt as interrupt:
        print("demo: interrupted", file=sys.stderr)
        status = process.get_exit_status(interrupt)
    finally:
        if not keep:
            process.ignore_interrupts()
            cloud.down(demo.lab, demo.say, OWNER)
    if keep:
        print(f"\nthe lab is up in {demo.lab.directory}; to try next:\n{format_next(demo)}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
