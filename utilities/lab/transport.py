"""How the chassis reach the southbound: by TLS, each with a key of its own and the role, or by TCP.

The keys are svc-pki's, in the lab's directory, and each host has its own under /etc/ovnsvc/pki, as
README.rst says.  The northbound and svc-northd have unix sockets.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from . import process
from .errors import LabError
from .host import CHECKOUT, Host, make_environment
from .state import Lab

TLS, TCP = "ssl", "tcp"
SVC_SB_PORT = 6652
# While a lab is switched, which is served by both.
OTHER_PORT = 6653
ROLE = "svc-controller"
PLACE = "/etc/ovnsvc/pki"
SVC_PKI = str(CHECKOUT / "utilities" / "svc-pki")
KINDS = {"central": "server", "chassis": "chassis"}


def run_svc_pki(lab: Lab, *words: str) -> str:
    """Runs svc-pki on the keys of a lab and returns what it prints."""
    place = lab.directory / "files" / "pki"
    place.parent.mkdir(exist_ok=True)
    return process.run([SVC_PKI, f"--dir={place}", *words], env=make_environment())


def find_keys(lab: Lab, kind: str, name: str) -> Path:
    """Returns the directory of somebody's key and certificate."""
    return lab.directory / "files" / "pki" / kind / name


def make_keys(lab: Lab) -> None:
    """Makes the keys of a lab's hosts, and of an operator with svcctl ("ops")."""
    run_svc_pki(lab, "init")
    run_svc_pki(lab, "client", "ops")
    for host in lab.list_hosts():
        if kind := KINDS.get(host.settings["kind"]):
            run_svc_pki(lab, kind, host.name)
            copy_keys(lab, host)


def copy_keys(lab: Lab, host: Host) -> None:
    """Copies to a host what it has in the lab's directory, each file at once.

    A pair is touched at last: ovsdb-server takes it only where it finds both changed in one look.
    """
    source = find_keys(lab, KINDS[host.settings["kind"]], host.name)
    target = host.directory / PLACE.removeprefix("/")
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in source.iterdir():
        shutil.copy(file, target / f".{file.name}")
        (target / f".{file.name}").rename(target / file.name)
    for name in ("privkey.pem", "cert.pem"):
        (target / name).touch()


def renew(lab: Lab, host: Host) -> None:
    """Gives a host another key and certificate, whether it runs or not."""
    run_svc_pki(lab, "--renew", KINDS[host.settings["kind"]], host.name)
    copy_keys(lab, host)


def find_transport(host: Host) -> str:
    """Returns by what this chassis, or the chassis of this central, connect."""
    return host.settings.get("transport", TLS)


def format_remote(host: Host) -> str:
    """Returns external_ids:svc-remote of a chassis."""
    port = host.settings.get("port", SVC_SB_PORT)
    return f"{find_transport(host)}:{host.settings['central']}:{port}"


def list_key_options(host: Host) -> list[str]:
    """Returns svc-ctl's options for the keys of a chassis; none if it has none, or by a row."""
    if not has_keys(host) or has_row(host):
        return []
    files = {"key": "privkey", "cert": "cert", "ca-cert": "cacert"}
    return [f"--svc-controller-ssl-{each}={PLACE}/{file}.pem" for each, file in files.items()]


def list_key_row(host: Host) -> list[str]:
    """Returns ovs-vsctl's command for the keys of a chassis that has them by a row."""
    if not has_keys(host) or not has_row(host):
        return []
    return ["--", "set-ssl", *(f"{PLACE}/{file}.pem" for file in ("privkey", "cert", "cacert"))]


def has_keys(host: Host) -> bool:
    """Says whether a host was given keys."""
    return (host.directory / PLACE.removeprefix("/")).exists()


def has_row(host: Host) -> bool:
    """Says whether a chassis has keys by the row SSL of its Open vSwitch: every second one."""
    return int(host.name.removeprefix("hv")) % 2 == 0


def open_southbound(central: Host, address: str) -> None:
    """Has a southbound that is new listen for chassis, by TLS and with the role."""
    keys = [f"{PLACE}/{name}.pem" for name in ("privkey", "cert", "sb-cacert")]
    listen = ["set-connection", f"role={ROLE}", f"pssl:{SVC_SB_PORT}:{address}"]
    central.run("svc-sbctl", "set-ssl", *keys, "--", *listen)


def switch(lab: Lab, transport: str) -> None:
    """Has a lab of TLS go over to 'transport', or back; returns with all chassis told."""
    central = lab.get_host("central")
    if find_transport(central) == transport:
        return
    address = central.settings["mgmt"].partition("/")[0]
    listeners = {
        TLS: [f"role={ROLE}", "read-write", f"pssl:{SVC_SB_PORT}:{address}"],
        TCP: ["role=", "read-write", f"ptcp:{OTHER_PORT}:{address}"],
    }
    central.run("svc-sbctl", "set-connection", *listeners[TLS], *listeners[TCP])
    port = str(SVC_SB_PORT if transport == TLS else OTHER_PORT)
    for host in lab.list_chassis():
        host.create(host.settings | {"transport": transport, "port": port})
        if host.find_init() is None:
            raise LabError(f"{host.name}: the host is not running")
        remote = f"external_ids:svc-remote={format_remote(host)}"
        host.run("ovs-vsctl", "--no-wait", "set", "Open_vSwitch", ".", remote)
    central.create(central.settings | {"transport": transport})
    chassis = lab.list_chassis()
    connected = f"every chassis by {transport}"
    process.wait_until(lambda: all(is_connected(host) for host in chassis), connected, 30)
    central.run("svc-sbctl", "set-connection", *listeners[transport])


def is_connected(host: Host) -> bool:
    """Says whether a chassis is connected to its remote."""
    socket = "/run/ovnsvc/svc-controller.$(cat /run/ovnsvc/svc-controller.pid).ctl"
    try:
        told = host.run("sh", "-c", f'exec ovs-appctl -T 2 -t "{socket}" status')
    except LabError:
        return False
    return f"Southbound: {format_remote(host)}, connected" in told
