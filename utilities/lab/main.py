"""The command `svc-lab`: its options, and one short function for each of its commands."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from . import central, cloud, fabric, guest, peer_conf, process, tenant, transport
from .errors import LabError
from .host import VENV_BIN, Host, make_environment
from .state import Lab, get_lab, locked

Run = Callable[[Lab, argparse.Namespace], None]
DEATH_BY_SIGPIPE = 141
SIGNALS = ("KILL", "TERM", "ABRT", "STOP", "CONT")
PROCESS_WORDS = "name of a program or of a pid file; charon@CONTAINER is that of one container"


class Parser(argparse.ArgumentParser):
    """Says what is wrong with a command line as everything else is said: one line, exit 1."""

    def error(self, message: str) -> NoReturn:
        self.exit(1, f"{self.prog}: {message} (use --help for help)\n")


def say(words: str) -> None:
    """Prints progress."""
    print(f"svc-lab: {words}", flush=True)


def run_up(lab: Lab, args: argparse.Namespace) -> None:
    cloud.up(lab, cloud.Plan(args.chassis, args.northds, args.without, args.by), say)


def run_down(lab: Lab, args: argparse.Namespace) -> None:
    cloud.down(lab, say)


def run_tenant(lab: Lab, args: argparse.Namespace) -> None:
    with locked(lab):
        tenant.build(lab, say)


def run_status(lab: Lab, args: argparse.Namespace) -> None:
    if not lab.directory.exists():
        raise LabError(f"no lab in {lab.directory} ('svc-lab up' builds one)")
    print(f"{lab.directory}: {'up' if lab.is_up() else 'half-built'}")
    for host in lab.list_hosts():
        print(f"{host.name:12}{format_status(host)}")


def format_status(host: Host) -> str:
    """Returns one host's line: dead or alive, and what on it is."""
    guests = [each.name for each in guest.list_guests(host)]
    behind = f"  guests: {', '.join(guests)}" if guests else ""
    if host.find_init() is None:
        return f"dead{format_cut(host)}{behind}"
    return f"alive, {format_processes(host)}{format_cut(host)}{behind}"


def format_processes(host: Host) -> str:
    """Returns what is dead of what should run on a host that is alive, what is stopped, or all."""
    wanted = cloud.list_processes(host)
    found = {name: host.find_processes(name) for name in wanted}
    dead = [name for name in wanted if not found[name]]
    stopped = [name for name in wanted if any(each.is_stopped() for each in found[name])]
    words = [f"dead: {', '.join(dead)}"] if dead else []
    words += [f"stopped: {', '.join(stopped)}"] if stopped else []
    words = words or [f"running: {', '.join(wanted) or 'no daemons'}"]
    if host.settings["kind"] == "central":
        words.append(f"active: {central.find_active_northd(host) or 'no svc-northd'}")
    return ", ".join(words)


def format_cut(host: Host) -> str:
    """Returns the words for a host that is partitioned."""
    networks = fabric.find_cut(host)
    return f"  partitioned from: {', '.join(networks)}" if networks else ""


def run_env(lab: Lab, args: argparse.Namespace) -> None:
    for name, value in format_environment(lab).items():
        print(f"export {name}={shlex.quote(value)}")
    print(f"export PATH={shlex.quote(str(VENV_BIN))}:$PATH")


def format_environment(lab: Lab) -> dict[str, str]:
    """Returns the remotes of the four databases, for commands outside of the lab's hosts."""
    run = lab.get_host("central").directory / "run"
    return {
        "SVC_NB_DB": f"unix:{run}/ovnsvc/svcnb_db.sock",
        "SVC_SB_DB": f"unix:{run}/ovnsvc/svcsb_db.sock",
        "OVN_NB_DB": f"unix:{run}/ovn/ovnnb_db.sock",
        "OVN_SB_DB": f"unix:{run}/ovn/ovnsb_db.sock",
    }


def run_exec(lab: Lab, args: argparse.Namespace) -> None:
    host = lab.find_host(args.host) or lab.find_guest(args.host)
    if host is None:
        raise LabError(f"{args.host}: no such host or guest in {lab.directory}")
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        raise LabError("exec: the command is missing")
    inside = [] if host.name == args.host else ["ip", "netns", "exec", args.host]
    argv = host.enter([*inside, *command])
    sys.stdout.flush()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and so would the command
    os.execvpe(argv[0], argv, make_environment())


def run_kill(lab: Lab, args: argparse.Namespace) -> None:
    with locked(lab):
        host = lab.get_host(args.host)
        if args.process:
            cloud.kill_process(host, args.process, signal.Signals[f"SIG{args.signal}"])
        elif args.signal != "KILL":
            raise LabError("--signal is for a process; a host dies by SIGKILL only")
        else:
            host.get_init()
            host.kill()


def run_partition(lab: Lab, args: argparse.Namespace) -> None:
    with locked(lab):
        cloud.partition(lab, lab.get_host(args.host), args.network or fabric.INSIDE)


def run_heal(lab: Lab, args: argparse.Namespace) -> None:
    with locked(lab):
        cloud.heal(lab, lab.get_host(args.host))


def run_start(lab: Lab, args: argparse.Namespace) -> None:
    with locked(lab):
        host = lab.get_host(args.host)
        if args.process:
            cloud.start_process(host, args.process)
        else:
            cloud.boot(lab, host)


def run_add_guest(lab: Lab, args: argparse.Namespace) -> None:
    new = guest.parse_guest(args.name, args.switch_port, args.mac, args.address, args.gateway)
    with locked(lab):
        lab.check_name(new.name)
        host = lab.get_host(args.host)
        if host.settings["kind"] != "chassis":
            raise LabError(f"{host.name}: it is no chassis")
        guest.add(host, new)


def run_del_guest(lab: Lab, args: argparse.Namespace) -> None:
    with locked(lab):
        host = lab.find_guest(args.name)
        if host is None or host.settings["kind"] != "chassis":
            raise LabError(f"{args.name}: no such guest")
        guest.delete(host, args.name)


def run_add_peer(lab: Lab, args: argparse.Namespace) -> None:
    try:
        psk = Path(args.psk_file).read_text().rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"{args.psk_file}: cannot read a PSK: {error}") from None
    ours = args.local_site_address, tuple(args.local_subnets.split(","))
    site = peer_conf.Site(args.address, tuple(args.subnets), *ours, psk, args.like)
    peer_conf.check_site(site)
    with locked(lab):
        cloud.add_peer(lab, args.name, site)


def run_del_peer(lab: Lab, args: argparse.Namespace) -> None:
    with locked(lab):
        cloud.del_peer(lab, args.name)


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    parser = Parser(
        prog="svc-lab",
        description="Builds a whole OVN cloud of namespaces on this machine.",
        epilog="The lab is in the directory $SVC_LAB_DIR (/run/ovnsvc-lab).",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Run, words: str, *operands: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=words, description=f"Command {name}: {words}.")
        command.set_defaults(run=run)
        for operand in operands:
            command.add_argument(operand.lower(), metavar=operand)
        return command

    add_up_options(add("up", run_up, "build the cloud: central and some chassis"))
    add("down", run_down, "remove the cloud, also a half-built one")
    add("status", run_status, "show hosts, their processes and guests")
    add("env", run_env, "print shell exports of the databases' remotes")
    add("tenant", run_tenant, "make the scenario's router, switch, guests and upstream host")
    command = add("exec", run_exec, "run a command on a host or in a guest", "HOST")
    command.add_argument("command", nargs=argparse.REMAINDER, metavar="-- CMD")
    command = add("kill", run_kill, "kill a host, or a process on it", "HOST")
    command.add_argument("process", nargs="?", metavar="PROCESS", help=PROCESS_WORDS)
    command.add_argument("--signal", choices=SIGNALS, default="KILL", help="(default: KILL)")
    command = add("start", run_start, "start a dead host, or a process on a host", "HOST")
    command.add_argument("process", nargs="?", metavar="PROCESS")
    command = add("partition", run_partition, "cut a host from central and the others", "HOST")
    words = "cut it from this network; may be given again (default: mgmt and underlay)"
    command.add_argument("--network", action="append", choices=fabric.NETWORKS, help=words)
    add("heal", run_heal, "end a partition", "HOST")
    operands = ("NAME", "HOST", "SWITCH_PORT", "MAC", "ADDRESS", "GATEWAY")
    add("add-guest", run_add_guest, "add a namespace that stands for a VM", *operands)
    add("del-guest", run_del_guest, "remove a guest", "NAME")
    add_peer_command(add("add-peer", run_add_peer, "add a remote site", "NAME", "ADDRESS"))
    add("del-peer", run_del_peer, "remove a remote site", "NAME")
    return parser


def add_up_options(up: argparse.ArgumentParser) -> None:
    """Adds the options of `up`."""
    up.add_argument("--chassis", type=int, default=3, metavar="N", help="how many (default: 3)")
    words = "how many svc-northds, of which one is active (default: 1)"
    up.add_argument("--northds", type=int, default=1, metavar="N", help=words)
    words = "do not start this process on any host, as when you want to do it by hand"
    up.add_argument("--without", action="append", default=[], metavar="PROCESS", help=words)
    by = up.add_mutually_exclusive_group()
    words = "chassis reach the southbound by TLS, with keys of svc-pki and the role (the default)"
    by.add_argument("--ssl", dest="by", action="store_const", const=transport.TLS, help=words)
    words = "by TCP, as anybody does who reaches it"
    by.add_argument("--tcp", dest="by", action="store_const", const=transport.TCP, help=words)
    up.set_defaults(by=transport.TLS)


def add_peer_command(command: argparse.ArgumentParser) -> None:
    """Adds the operands and options of `add-peer` that others have not."""
    command.add_argument("subnets", nargs="+", metavar="SUBNET", help="behind the site's gateway")
    command.add_argument("--psk-file", required=True, metavar="FILE")
    command.add_argument(
        "--local-site-address", default="1.0.0.100", metavar="IP", help="our end of the tunnel"
    )
    command.add_argument(
        "--local-subnets", default=tenant.SUBNET, metavar="SUBNET[,..]", help="behind our end"
    )
    kinds = "; ".join(f"{name}: {kind.words}" for name, kind in peer_conf.KINDS.items())
    command.add_argument(
        "--like",
        choices=tuple(peer_conf.KINDS),
        default=peer_conf.STOCK,
        help=f"how the site's gateway is (default: {peer_conf.STOCK}).  {kinds}",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    args = make_parser().parse_args(argv)
    try:
        if os.geteuid():
            raise LabError("needs root")
        args.run(get_lab(), args)
        sys.stdout.flush()
    except LabError as error:
        print(f"svc-lab: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Python's own flush at the end would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DEATH_BY_SIGPIPE
    except KeyboardInterrupt as interrupt:
        print("svc-lab: interrupted ('svc-lab down' removes what there is)", file=sys.stderr)
        return process.get_exit_status(interrupt)
    return 0
