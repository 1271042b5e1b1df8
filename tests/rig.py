"""One chassis without OVN: real databases, real kernel, real charon, one svc-controller.

All of it lives in network, mount and PID namespaces of its own, with its own
/run, and ends with their init; so a test run that is killed leaves nothing
behind.  The rig's network namespace is the router between the containers: the
outer end of each veth pair gets the gateway's address and a route to what is
behind.  No ovs-vswitchd and no OVN runs; 'set_installed' says in their place
whether OVN has installed a port.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..lib import schema, sealing
from .ovsdb import Database, wait_until

VSWITCH_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
CHASSIS = "hv1"
SEED = sealing.make_seed()
SETTINGS: dict[str, Any] = {
    "ike_version": 2,
    "ike_proposals": ["aes128-sha256-modp2048"],
    "ike_lifetime_s": 14400,
    "esp_proposals": ["aes128-sha256-modp2048"],
    "esp_lifetime_s": 3600,
    "esp_lifetime_bytes": None,
    "force_udp_encapsulation": False,
    "initiate": True,
    "dpd_action": "restart",
    "dpd_interval_s": 30,
    "dpd_timeout_s": 120,
    "mtu": None,
}


@dataclass(frozen=True)
class Side:
    """A container of the rig: 'number' makes its addresses."""

    number: int

    @property
    def name(self) -> str:
        return f"vpn-{self.number:x}"

    @property
    def outer(self) -> str:
        return f"1.0.0.{self.number}"

    @property
    def subnet(self) -> str:
        return f"192.168.{self.number}.0/24"

    @property
    def inner(self) -> str:
        return f"192.168.{self.number}.0"

    @property
    def gateway(self) -> str:
        return f"169.254.{self.number}.1"

    @property
    def address(self) -> str:
        return f"169.254.{self.number}.2"

    @property
    def mac(self) -> str:
        return f"0a:00:00:00:00:{self.number:02x}"


A, B = Side(10), Side(11)


def connect(side: Side, peer: Side, **settings: Any) -> dict[str, Any]:
    """Returns the connection of a configuration from 'side' to 'peer'."""
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{side.name}-{peer.name}")),
        "name": f"{side.name}/to-{peer.name}",
        "local_address": side.outer,
        "peer_address": peer.outer,
        "local_id": side.outer,
        "peer_id": peer.outer,
        "local_subnets": [side.subnet],
        "peer_subnets": [peer.subnet],
        **SETTINGS,
        **settings,
    }


@dataclass
class Rig:
    """The chassis; start() and stop(), then the databases and the controller's pid.

    'packages' are folders with packages for svc-controller, beside those that are installed.
    """

    directory: Path
    packages: tuple[Path, ...] = ()
    init: subprocess.Popen[bytes] | None = None
    controller: subprocess.Popen[bytes] | None = None
    _generation: int = 0

    def start(self) -> None:
        """Makes the namespaces and the databases; no controller yet."""
        command = "mount -t tmpfs tmpfs /run && mkdir /run/netns && ip link set lo up && "
        command += (
            "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 && exec sleep inf"
        )
        self.init = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", "--"),
                *("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child"),
                *("--mount-proc", "sh", "-c", command),
            ]
        )
        wait_until(self._is_up, "the rig's namespaces")
        self.sb = Database(self.directory, schema.SOUTHBOUND)
        self.ovs = Database(self.directory, "Open_vSwitch", VSWITCH_SCHEMA)
        ids = {"system-id": CHASSIS, "svc-remote": self.sb.remote}
        bridge = {"name": "br-int", "datapath_type": "netdev"}
        root = {"bridges": ["named-uuid", "bridge"], "external_ids": to_map(ids)}
        self.ovs.transact(
            {"op": "insert", "table": "Bridge", "uuid-name": "bridge", "row": bridge},
            {"op": "insert", "table": "Open_vSwitch", "row": root},
        )
        self.sb.insert("SB_Global", options=to_map({"heartbeat-interval": "1000"}))

    def stop(self) -> None:
        """Ends everything."""
        for process in (self.controller, self.init):
            if process is not None:
                process.kill()
                process.wait()
        self.sb.stop()
        self.ovs.stop()

    def start_controller(self) -> None:
        """Starts svc-controller in the rig."""
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, self.packages)),
            "SVC_RUNDIR": str(self.directory),
            "SVC_LOGDIR": str(self.directory / "log"),
            "SVC_SYSCONFDIR": str(self.directory / "etc"),
            "OVN_RUNDIR": str(self.directory / "ovn"),
        }
        log = open(self.directory / "controller.out", "ab")  # noqa: SIM115
        code = "import sys; from ovnsvc.controller.main import main; sys.exit(main())"
        self.controller = subprocess.Popen(
            [
                *self._enter(),
                *(sys.executable, "-c", code, self.ovs.remote, "-vconsole:info", "-vsyslog:off"),
                f"--unixctl={self.directory}/svc-controller.ctl",
            ],
            env=environment,
            stdout=log,
            stderr=log,
        )
        log.close()

    def end_controller(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Ends svc-controller by a signal; nsenter, which waits for it, ends with it."""
        assert self.controller is not None
        nsenter = self.controller.pid
        children = wait_until(lambda: _find_children(nsenter), "svc-controller's process")
        os.kill(children[0], number)
        self.controller.wait(timeout=10)

    def run(self, *command: str, check: bool = True) -> str:
        """Returns what 'command' prints when it runs in the rig."""
        done = subprocess.run(
            [*self._enter(), *command], capture_output=True, text=True, check=False, timeout=30
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    # -- the southbound's side, in place of svc-northd ------------------------

    def bind(
        self,
        side: Side,
        *connections: Mapping[str, Any],
        psk: str = "secret",
        seed: str = SEED,
        role: str = "active",
    ) -> None:
        """Writes, or rewrites, the binding of an ipsec container on this chassis."""
        configuration = json.dumps({"outer_addresses": [side.outer], "connections": connections})
        secrets = {each["id"]: psk for each in connections}
        self.bind_type(side, "ipsec", configuration, secrets, seed=seed, role=role)

    def bind_type(
        self,
        side: Side,
        service_type: str,
        configuration: str,
        secrets: Mapping[str, str],
        *,
        seed: str = SEED,
        role: str = "active",
    ) -> None:
        """Writes, or rewrites, the binding of a container of any type; secrets are in clear."""
        self._generation += 1
        (chassis,) = self.sb.rows("Chassis")
        sealed = {
            name: sealing.seal(value, chassis["public_key"], seed, name)
            for name, value in secrets.items()
        }
        columns = {
            "service_type": service_type,
            "role": role,
            "configuration": configuration,
            "secrets": to_map(sealed),
            "generation": self._generation,
        }
        where = [["container", "==", side.name]]
        if self.sb.rows("Container_Binding", where):
            self.sb.update("Container_Binding", where, **columns)
            return
        port = {
            "logical_port": side.name,
            "container": side.name,
            "chassis": CHASSIS,
            "interface": "svc0",
            "kind": "transit",
            "mac": side.mac,
            "addresses": f"{side.address}/30",
            "gateways": side.gateway,
            "mtu": 1442,
            "iface_id": side.name,
        }
        identity = {"container": side.name, "chassis": CHASSIS}
        self.sb.transact(
            {"op": "insert", "table": "Port_Binding", "row": port},
            {"op": "insert", "table": "Container_Binding", "row": {**identity, **columns}},
        )

    def add_port(self, side: Side, interface: str, address: str, tag: int) -> None:
        """Gives a container another port."""
        self.sb.insert(
            "Port_Binding",
            logical_port=f"{side.name}-{interface}",
            container=side.name,
            chassis=CHASSIS,
            interface=interface,
            kind="vlan",
            mac="0a:00:00:00:01:01",
            addresses=address,
            mtu=1442,
            tag=tag,
            iface_id=f"{side.name}-{interface}",
        )

    def set_role(self, side: Side, role: str) -> None:
        """Changes the role of a container, and nothing else."""
        self._generation += 1
        where = [["container", "==", side.name]]
        self.sb.update("Container_Binding", where, role=role, generation=self._generation)

    def unbind(self, side: Side) -> None:
        """Removes the binding."""
        where = [["container", "==", side.name]]
        self.sb.delete("Port_Binding", where)
        self.sb.delete("Container_Binding", where)

    def binding(self, side: Side) -> dict[str, Any]:
        """Returns the Container_Binding row."""
        (row,) = self.sb.rows("Container_Binding", [["container", "==", side.name]])
        return row

    def tunnel(self, side: Side) -> dict[str, Any]:
        """Returns the Container_Item of a container with one connection; {} without."""
        rows = self.sb.rows("Container_Item", [["container", "==", side.name]])
        return rows[0] if rows else {}

    def wait_running(self, side: Side) -> None:
        """Waits until the container is running with what was last written."""

        def running() -> bool:
            row = self.binding(side)
            reached = row["reached_generation"] == row["generation"]
            return bool(reached and row["status_code"] == "running")

        wait_until(running, f"{side.name} to run")

    def wait_tunnel(self, side: Side, state: str, error: str = "") -> None:
        """Waits until the tunnel has 'state', with 'error' in its message."""

        def reached() -> bool:
            row = self.tunnel(side)
            return row.get("state") == state and error in row.get("message", "")

        wait_until(reached, f"{side.name}: {state} {error}", timeout_s=15)

    def plug(self, side: Side) -> None:
        """Makes the rig's namespace the router that the container's port hangs on."""
        wait_until(lambda: self._is_link_up(side.name), f"{side.name} to be up")
        self.run("ip", "addr", "replace", f"{side.gateway}/30", "dev", side.name)
        self.run("ip", "route", "replace", f"{side.outer}/32", "via", side.address)
        self.set_installed(side, True)

    def set_installed(self, side: Side, installed: bool) -> None:
        """Makes the container's port one that OVN has installed, or has taken away."""
        where = [["name", "==", side.name]]
        (row,) = wait_until(lambda: self.ovs.rows("Interface", where), f"the port {side.name}")
        ids = {name: value for name, value in row["external_ids"][1] if name != "ovn-installed"}
        ids |= {"ovn-installed": "true"} if installed else {}
        self.ovs.update("Interface", where, external_ids=to_map(ids))

    # -- looking ---------------------------------------------------------------

    def find_charons(self) -> dict[str, int]:
        """Returns the pids (in the rig) of the charons by container."""
        found = {}
        for pid in self.run("pgrep", "-x", "charon-systemd", check=False).split():
            words = self.run("cat", f"/proc/{pid}/environ", check=False).split("\0")
            path = next((each for each in words if each.startswith("STRONGSWAN_CONF=")), "")
            if path:
                found[Path(path).parent.name] = int(pid)
        return found

    def find_leftovers(self) -> list[str]:
        """Returns what is there of any container: namespaces, links, processes, files, rows."""
        links = [each.split(":")[1].strip() for each in self.run("ip", "-o", "link").splitlines()]
        files = [str(each) for each in self.directory.glob("containers/*")]
        # Logs outlive their containers there.
        logs = [each for each in self.directory.glob("log/**/*") if each.is_file()]
        files += [str(each) for each in logs if each.parent.name != "past"]
        rows = [row["name"] for row in self.ovs.rows("Port") + self.ovs.rows("Interface")]
        return [
            *self.run("ip", "netns").split(),
            *(each for each in links if each != "lo"),
            *self.find_charons(),
            *files,
            *rows,
            *(row["name"] for row in self.sb.rows("Container_Item")),
        ]

    def read_log(self) -> str:
        """Returns what svc-controller logged."""
        return (self.directory / "controller.out").read_text()

    # -- helpers ---------------------------------------------------------------

    def _enter(self) -> list[str]:
        """Returns the words that run a command in the rig."""
        return ["nsenter", f"--target={self._find_init()}", "--net", "--mount", "--pid", "--"]

    def _find_init(self) -> int:
        """Returns the pid of the rig's init, the child of 'unshare'."""
        assert self.init is not None
        children = _find_children(self.init.pid)
        return children[0] if children else 0

    def _is_link_up(self, name: str) -> bool:
        """A link is there before it is up, and takes no route until then."""
        return ",UP" in self.run("ip", "-o", "link", "show", name, check=False)

    def _is_up(self) -> bool:
        init = self._find_init()
        return init > 0 and Path(f"/proc/{init}/comm").read_text().strip() == "sleep"


@contextmanager
def run_rig(directory: Path, packages: tuple[Path, ...] = ()) -> Iterator[Rig]:
    """Runs a chassis with a registered svc-controller."""
    chassis = Rig(directory, packages)
    chassis.start()
    try:
        chassis.start_controller()
        wait_until(lambda: chassis.sb.rows("Chassis"), "the chassis to register")
        yield chassis
    finally:
        chassis.stop()


def _find_children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ping(rig: Rig) -> str:
    """Returns what ping says of one packet through the tunnel from A to B."""
    command = ("ping", "-c1", "-W2", "-I", A.inner, B.inner)
    return rig.run("ip", "netns", "exec", A.name, *command, check=False)


def to_map(values: Mapping[str, str]) -> list[Any]:
    """Returns 'values' as OVSDB's JSON."""
    return ["map", [list(pair) for pair in values.items()]]
