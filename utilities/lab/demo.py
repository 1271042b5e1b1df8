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
from collections.abc import Callable, Sequence

from . import cloud, peer, process, tenant, traffic
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
TUNNEL_TIMEOUT_S = 20
FAILOVER_TIMEOUT_S = 60


class Demo:
    """The scenario on one lab; 'figures' are the rows of the table at the end."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.figures: list[tuple[str, str]] = []
        self.psk_file = lab.directory / "demo.psk"
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
            [str(VENV_BIN / "svcctl"), f"--timeout={COMMAND_TIMEOUT_S}", *arguments],
            env={**os.environ, **format_environment(self.lab)},
            capture_output=True,
            text=True,
            check=False,
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
        cloud.up(self.lab, CHASSIS, self.say)
        (self.lab.directory / "demo").touch()
        tenant.build(self.lab, self.say)
        self.psk_file.touch(mode=0o600)
        self.psk_file.write_text(secrets.token_urlsafe(24) + "\n")
        site = peer.Site(
            f"{SITE_ADDRESS}/24",
            (SITE_SUBNET,),
            EXTERNAL,
            (tenant.SUBNET,),
            self.psk_file.read_text().strip(),
        )
        cloud.add_peer(self.lab, SITE, site)
        self.say(f"remote site {SITE}: stock strongSwan at {SITE_ADDRESS}, {SITE_SUBNET} behind it")

    def connect(self) -> None:
        """The VPN, from nothing to traffic."""
        if traffic.is_reachable(self.lab, "vm1", SITE_HOST):
            raise LabError("vm1 reaches the remote site before there is a VPN")
        self.say(f"without a VPN vm1 does not reach {SITE_HOST}; now the VPN:")
        self.svcctl("group-add", "vpns", "least")
        started = time.monotonic()
        self.svcctl(
            *("vpn-add", "mercury", tenant.ROUTER, EXTERNAL, tenant.SUBNET, "--group=vpns")
        )
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
        self.svcctl("set", "IPsec_Connection", "to-venus", "initiator=response-only", "--", "sync")
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
        self.svcctl("set", "IPsec_Connection", "to-venus", "initiator=bi-directional")

    def kill_chassis(self) -> None:
        """The death of the chassis that runs the container."""
        victim = self.find_chassis()
        guest = next(name for name, host in tenant.GUEST_HOSTS.items() if host != victim)
        self.say(f"killing chassis {victim}, which runs the container, while {guest} pings")
        ping = traffic.Ping(self.lab, guest, SITE_HOST)
        traffic.wait_reachable(self.lab, guest, SITE_HOST, TUNNEL_TIMEOUT_S)
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
        path = self.lab.directory / "provider.pcap"
        capture = traffic.Capture(self.lab, path)
        try:
            self.connect()
            self.exchange()
            self.come_from_there()
            self.kill_chassis()
            self.delete()
        finally:
            capture.stop()
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


def clean(lab: Lab, say: Callable[[str], None]) -> None:
    """Removes what an earlier demo left; raises LabError if the lab is somebody's own."""
    if lab.is_up() and not (lab.directory / "demo").exists():
        raise LabError(f"a lab is up in {lab.directory} ('utilities/svc-lab down' removes it)")
    if lab.directory.exists():
        remove(lab, say)


def remove(lab: Lab, say: Callable[[str], None]) -> None:
    """Takes the lab down."""
    for name in ("demo", "demo.psk", "provider.pcap"):
        with contextlib.suppress(FileNotFoundError):
            (lab.directory / name).unlink()
    cloud.down(lab, say)


def main(arguments: Sequence[str]) -> int:
    """Runs the demo; returns the exit status."""
    keep = "--keep" in arguments
    status = 1
    try:
        lab = get_lab()
        demo = Demo(lab)
        clean(lab, demo.say)
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return status
    try:
        demo.run()
        print_table(demo.figures)
        status = 0
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
    if keep and status == 0:
        print(f"\nthe lab is up in {lab.directory}; to try next:\n{NEXT}")
    else:
        remove(lab, demo.say)
    return status


NEXT = f"""
    eval "$(utilities/svc-lab env)"
    svcctl vpn-add mercury {tenant.ROUTER} {EXTERNAL} {tenant.SUBNET} --group=vpns
    svcctl --wait=hv conn-add mercury to-venus {SITE_ADDRESS} {SITE_SUBNET} \\
        --psk-file={get_lab().directory}/demo.psk
    utilities/svc-lab exec vm1 -- ping {SITE_HOST}
    svcctl show
    utilities/svc-lab kill hv2 charon
    utilities/svc-lab down
"""

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
