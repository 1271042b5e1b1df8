"""The central host: four databases, ovn-northd and one svc-northd or several.

The first svc-northd is "svc-northd", the others "svc-northd-2" and on; each has its own pid file,
control socket and log of that name.
"""

from __future__ import annotations

from . import transport
from .errors import LabError
from .host import CHECKOUT, Host

OVN_NB_PORT = 6641
OVN_SB_PORT = 6642
SVC_CTL = str(CHECKOUT / "utilities" / "svc-ctl")
DAEMON = ("--detach", "--no-chdir", "-vconsole:emer", "-vsyslog:off", "-vfile:info")
# Detect the death of a gateway chassis in about a second; OVN's own default is 3 s.
BFD = ("bfd-min-rx=300", "bfd-min-tx=300", "bfd-mult=3")
PROCESSES = ("ovnnb_db", "ovnsb_db", "ovn-northd", "svcnb_db", "svcsb_db")
NORTHD = "svc-northd"
NORTHDS_MAX = 9
ANSWER_TIMEOUT_S = 2


def list_processes(host: Host) -> tuple[str, ...]:
    """Returns what is meant to run here, in the order of starting."""
    return PROCESSES + list_northds(host)


def list_northds(host: Host) -> tuple[str, ...]:
    """Returns the names of the svc-northds."""
    number = int(host.settings.get("northds", "1"))
    return (NORTHD, *(f"{NORTHD}-{each}" for each in range(2, number + 1)))


def start(host: Host, name: str) -> None:
    """Starts one of list_processes."""
    if name in ("ovnnb_db", "ovnsb_db"):
        start_ovn_database(host, name.removesuffix("_db"))
    elif name == "ovn-northd":
        host.run(
            "ovn-northd",
            *DAEMON,
            "--pidfile=/run/ovn/ovn-northd.pid",
            "--log-file=/var/log/ovn/ovn-northd.log",
            "--ovnnb-db=unix:/run/ovn/ovnnb_db.sock",
            "--ovnsb-db=unix:/run/ovn/ovnsb_db.sock",
        )
    elif name in ("svcnb_db", "svcsb_db"):
        start_svc_database(host, name.removeprefix("svc").removesuffix("_db"))
    elif name == NORTHD:
        host.run(SVC_CTL, "--no-monitor", "--no-wait", "--svc-manage-ovsdb=no", "start_northd")
    else:
        host.run(
            NORTHD,
            *DAEMON,
            f"--pidfile=/run/ovnsvc/{name}.pid",
            f"--unixctl=/run/ovnsvc/{name}.ctl",
            f"--log-file=/var/log/ovnsvc/{name}.log",
        )


def ask_northd(host: Host, name: str, *command: str) -> str:
    """Returns what a svc-northd answers to a runtime command; "" if it does not answer."""
    target = f"/run/ovnsvc/{name}.ctl"
    if name == NORTHD:  # svc-ctl leaves its socket where python-ovs has it
        target = f"/run/ovnsvc/{name}.$(cat /run/ovnsvc/{name}.pid).ctl"
    script = f'exec ovs-appctl -T {ANSWER_TIMEOUT_S} -t "{target}" "$@"'
    try:
        return host.run("sh", "-c", script, "sh", *command)
    except LabError:
        return ""


def find_active_northd(host: Host) -> str:
    """Returns the name of the svc-northd that says that it is active; "" if none does."""
    for name in list_northds(host):
        processes = host.find_processes(name)
        stopped = any(each.is_stopped() for each in processes)
        if processes and not stopped and "active" in ask_northd(host, name, "status"):
            return name
    return ""


def start_ovn_database(host: Host, name: str) -> None:
    """Starts 'ovnnb' or 'ovnsb', and makes its database if there is none."""
    schema, port, root = {
        "ovnnb": ("OVN_Northbound", OVN_NB_PORT, "NB_Global"),
        "ovnsb": ("OVN_Southbound", OVN_SB_PORT, "SB_Global"),
    }[name]
    database = f"/var/lib/ovn/{name}_db.db"
    schema_file = f"/usr/share/ovn/{name.replace('ovn', 'ovn-')}.ovsschema"
    host.run("sh", "-c", f"test -e {database} || ovsdb-tool create {database} {schema_file}")
    host.run(
        "ovsdb-server",
        *DAEMON,
        f"--pidfile=/run/ovn/{name}_db.pid",
        f"--unixctl=/run/ovn/{name}_db.ctl",
        f"--log-file=/var/log/ovn/ovsdb-server-{name.removeprefix('ovn')}.log",
        f"--remote=punix:/run/ovn/{name}_db.sock",
        f"--remote=ptcp:{port}:{get_address(host)}",
        f"--remote=db:{schema},{root},connections",
        database,
    )
    if name == "ovnnb":
        options = [f"options:{option}" for option in BFD]
        host.run("ovn-nbctl", "init", "--", "set", "NB_Global", ".", *options)


def start_svc_database(host: Host, name: str) -> None:
    """Starts SVC_Northbound ('nb') or SVC_Southbound ('sb').

    A southbound that is new is told in itself where to listen for chassis, or, by TCP, by options.
    """
    is_new = not (host.directory / f"var/lib/ovnsvc/svc{name}_db.db").exists()
    options: list[str] = []
    if name == "sb" and transport.find_transport(host) == transport.TCP:
        remote = ("create-insecure-remote=yes", f"addr={get_address(host)}")
        options = [f"--db-sb-{each}" for each in remote]
    host.run(SVC_CTL, "--no-monitor", *options, f"start_{name}_ovsdb")
    if name == "sb" and is_new and not options:
        transport.open_southbound(host, get_address(host))


def get_address(host: Host) -> str:
    """Returns the host's address on the management network."""
    return host.settings["mgmt"].partition("/")[0]
