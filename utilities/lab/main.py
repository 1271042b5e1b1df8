"""The command `svc-lab`: its options, and one short function for each of its commands."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from collections.abc import Sequence

from . import cloud, guest, peer, tenant
from .errors import LabError
from .host import VENV_BIN, make_environment


def say(words: str) -> None:
    """Prints progress."""
    print(f"svc-lab: {words}", flush=True)


def run_up(args: argparse.Namespace) -> None:
    cloud.up(cloud.get_lab(), args.chassis, say)


def run_down(args: argparse.Namespace) -> None:
    cloud.down(cloud.get_lab(), say)


def run_env(args: argparse.Namespace) -> None:
    run = cloud.get_lab().get_host("central").directory / "run"
    for name, socket in (
        ("SVC_NB_DB", "ovnsvc/svcnb_db.sock"),
        ("SVC_SB_DB", "ovnsvc/svcsb_db.sock"),
        ("OVN_NB_DB", "ovn/ovnnb_db.sock"),
        ("OVN_SB_DB", "ovn/ovnsb_db.sock"),
    ):
        print(f"export {name}={shlex.quote(f'unix:{run / socket}')}")
    print(f"export PATH={shlex.quote(str(VENV_BIN))}:$PATH")


def run_exec(args: argparse.Namespace) -> None:
    lab = cloud.get_lab()
    host = lab.find_host(args.host) or lab.find_guest(args.host)
    if host is None:
        raise LabError(f"{args.host}: no such host or guest")
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        raise LabError("exec: a command is missing")
    inside = [] if host.name == args.host else ["ip", "netns", "exec", args.host]
    argv = host.enter([*inside, *command])
    os.execvpe(argv[0], argv, make_environment())


def run_tenant(args: argparse.Namespace) -> None:
    lab = cloud.get_lab()
    with cloud.locked(lab):
        tenant.build(lab, say)


def run_add_peer(args: argparse.Namespace) -> None:
    lab = cloud.get_lab()
    psk = Path(args.psk_file).read_text().strip()
    site = peer.parse_site(
        args.address, args.subnets, args.local_site_address, args.local_subnets.split(","), psk
    )
    with cloud.locked(lab):
        host = lab.make_host(args.name, {"kind": "peer", "provider": args.address})
        peer.configure(host, site)
        cloud.boot(lab, host)


def run_kill(args: argparse.Namespace) -> None:
    lab = cloud.get_lab()
    with cloud.locked(lab):
        host = lab.get_host(args.host)
        if args.process:
            cloud.kill_process(host, args.process)
        else:
            host.get_init()
            host.kill()


def run_start(args: argparse.Namespace) -> None:
    lab = cloud.get_lab()
    with cloud.locked(lab):
        host = lab.get_host(args.host)
        if args.process:
            cloud.start_process(host, args.process)
        else:
            cloud.boot(lab, host)


def run_add_guest(args: argparse.Namespace) -> None:
    lab = cloud.get_lab()
    with cloud.locked(lab):
        cloud.check_name(args.name)
        new = guest.Guest(args.name, args.switch_port, args.mac, args.address, args.gateway)
        guest.add(lab.get_host(args.host), new)


def run_del_guest(args: argparse.Namespace) -> None:
    lab = cloud.get_lab()
    with cloud.locked(lab):
        host = lab.find_guest(args.name)
        if host is None:
            raise LabError(f"{args.name}: no such guest")
        guest.delete(host, args.name)


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="svc-lab", description="A whole OVN cloud on one machine.")
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")

    def add(name, run, words, *positional):
        command = commands.add_parser(name, help=words)
        command.set_defaults(run=run)
        for each in positional:
            command.add_argument(each)
        return command

    add("up", run_up, "build the cloud").add_argument("--chassis", type=int, default=3)
    add("down", run_down, "remove it")
    add("tenant", run_tenant, "t")
    p = add("add-peer", run_add_peer, "", "name", "address")
    p.add_argument("subnets", nargs="+")
    p.add_argument("--psk-file")
    p.add_argument("--local-site-address", default="1.0.0.100")
    p.add_argument("--local-subnets", default="192.168.1.0/24")
    add("env", run_env, "print shell exports")
    add("exec", run_exec, "run", "host").add_argument("command", nargs=argparse.REMAINDER)
    add("kill", run_kill, "kill", "host").add_argument("process", nargs="?")
    add("start", run_start, "start", "host").add_argument("process", nargs="?")
    add("add-guest", run_add_guest, "", "name", "host", "switch_port", "mac", "address", "gateway")
    add("del-guest", run_del_guest, "", "name")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    args = make_parser().parse_args(argv)
    try:
        args.run(args)
    except LabError as error:
        print(f"svc-lab: {error}", file=sys.stderr)
        return 1
    return 0
