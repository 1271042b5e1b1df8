"""A chassis: Open vSwitch with the userspace datapath, ovn-controller and svc-controller.

Bridges: br-int is OVN's, br-phys holds the tunnel endpoint (the userspace datapath sends Geneve
itself and finds the way by br-phys's address), br-ex is the provider network's.
"""

from __future__ import annotations

from pathlib import Path

from . import process, transport
from .central import DAEMON, OVN_SB_PORT, SVC_CTL
from .fabric import format_mac
from .host import Host

SWITCH = str(Path(__file__).with_name("switch"))
DATABASE = "/var/lib/openvswitch/conf.db"
PROCESSES = ("ovsdb-server", "ovs-vswitchd", "ovn-controller", "svc-controller")


def list_processes(_host: Host) -> tuple[str, ...]:
    """Returns what is meant to run here, in the order of starting."""
    return PROCESSES


def start(host: Host, name: str) -> None:
    """Starts one of PROCESSES."""
    if name == "ovsdb-server":
        start_ovsdb_server(host)
    elif name == "ovs-vswitchd":
        start_vswitchd(host)
    elif name == "ovn-controller":
        host.run(
            "ovn-controller",
            *DAEMON,
            "--pidfile=/run/ovn/ovn-controller.pid",
            "--log-file=/var/log/ovn/ovn-controller.log",
        )
    else:
        keys = transport.list_key_options(host)
        host.run(SVC_CTL, "--no-monitor", *keys, "start_controller")


def start_ovsdb_server(host: Host) -> None:
    """Starts the local database; makes it, with the chassis' identity, at first."""
    schema = "/usr/share/openvswitch/vswitch.ovsschema"
    host.run("sh", "-c", f"test -e {DATABASE} || ovsdb-tool create {DATABASE} {schema}")
    host.run(
        "ovsdb-server",
        *DAEMON,
        "--pidfile",
        "--log-file",
        "--remote=punix:/run/openvswitch/db.sock",
        "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
        DATABASE,
    )
    identity = [f"external_ids:{name}={value}" for name, value in format_identity(host).items()]
    keys = transport.list_key_row(host)
    host.run("ovs-vsctl", "--no-wait", "init", "--", "set", "Open_vSwitch", ".", *identity, *keys)
    bridges: list[str] = []
    for bridge, port in (("br-int", ""), ("br-phys", "underlay"), ("br-ex", "provider")):
        bridges += ["--", "--may-exist", "add-br", bridge]
        bridges += ["--", "set", "Bridge", bridge, "datapath_type=netdev"]
        bridges += ["--", "--may-exist", "add-port", bridge, port] if port else []
    bridges += ["--", "set", "Bridge", "br-int", "fail_mode=secure"]
    mac = format_mac(host.settings["underlay"])
    bridges += ["--", "set", "Bridge", "br-phys", f'other_config:hwaddr="{mac}"']
    host.run("ovs-vsctl", "--no-wait", *bridges[1:])


def start_vswitchd(host: Host) -> None:
    """Starts the switch, which is started again when it aborts; returns when it is usable."""
    # No link-local addresses: the hosts' own chatter does not belong on the provider network.
    host.run("sysctl", "-qw", "net.ipv6.conf.default.addr_gen_mode=1")
    # br-phys has the address; the port under it must not answer ARP for it with its own MAC.
    host.run("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1")
    log = "/var/log/openvswitch/switch.log"
    host.start_in_background(SWITCH, host.settings["underlay"], log=log)
    process.wait_until(lambda: has_bridges(host), f"{host.name}: ovs-vswitchd")


def has_bridges(host: Host) -> bool:
    """Says whether the switch has made its bridges, and they can be used."""
    addresses = host.run("ip", "-brief", "address", "show", "up")
    return host.settings["underlay"] in addresses and "br-ex" in addresses


def format_identity(host: Host) -> dict[str, str]:
    """Returns what ovn-controller and svc-controller read from the local database."""
    central = host.settings["central"]
    return {
        "system-id": host.name,
        "hostname": host.name,
        "ovn-remote": f"tcp:{central}:{OVN_SB_PORT}",
        "ovn-encap-type": "geneve",
        "ovn-encap-ip": host.settings["underlay"].partition("/")[0],
        "ovn-bridge-datapath-type": "netdev",
        "ovn-bridge-mappings": "provider:br-ex",
        "svc-remote": transport.format_remote(host),
    }


def ask_controller(host: Host, timeout_s: int, *command: str) -> str:
    """Returns what svc-controller answers to a runtime command.

    Raises LabError where it refuses, does not answer in time or is not there.
    """
    socket = "/run/ovnsvc/svc-controller.$(cat /run/ovnsvc/svc-controller.pid).ctl"
    script = f'exec ovs-appctl -T {timeout_s} -t "{socket}" "$@"'
    return host.run("sh", "-c", script, "sh", *command).strip()
