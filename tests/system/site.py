"""What an operator does and sees from outside: svcctl, the databases, traffic, namespaces."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...utilities.lab import cloud, process, tenant, traffic
from ...utilities.lab.host import VENV_BIN, Host, read_namespace
from ...utilities.lab.main import format_environment
from ...utilities.lab.state import Lab
from ..ovsdb import request, wait_until

DIRECTORY = f"/run/ovnsvc-test-{os.getpid()}"
SITE = "venus"
SITE_LAN = "venus-lan"
SITE_ADDRESS = "1.0.0.3"
SITE_SUBNET = "192.168.2.0/24"
SITE_HOST = "192.168.2.10"
EXTERNAL = "1.0.0.100"
PSK = "tell nobody about mercury"
VM1, VM2 = "192.168.1.11", "192.168.1.12"

PATIENCE_S = 30.0
_SOCKETS = {
    "SVC_Northbound": "SVC_NB_DB",
    "SVC_Southbound": "SVC_SB_DB",
    "OVN_Northbound": "OVN_NB_DB",
    "OVN_Southbound": "OVN_SB_DB",
}


class Operator:
    """An operator of the lab's cloud; 'refused' are chassis that a role is to refuse something."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.lab = lab
        self.environment = {**os.environ, **format_environment(lab)}
        self.psk_file = directory / "psk"
        self.psk_file.write_text(PSK + "\n")
        self.capture: traffic.Capture | None = None
        self.refused: set[str] = set()
        self._pings: list[traffic.Ping] = []
        self._captures: list[traffic.LinkCapture] = []

    # -- commands ----------------------------------------------------------

    def svcctl(self, *arguments: str) -> str:
        """Returns what svcctl printed; fails if it failed."""
        done = self.try_svcctl(*arguments)
        assert done.returncode == 0, f"svcctl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def tell_status(self) -> str:
        """Returns all that 'svcctl status' says, whatever it is."""
        done = self.try_svcctl("status", "--all")
        assert done.returncode in (0, 1, 2), done
        lines = done.stderr.splitlines()
        assert all(each.startswith("svcctl: warning: ") for each in lines), done
        return done.stdout

    def try_svcctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Returns the ended svcctl, failed or not."""
        return subprocess.run(
            [str(VENV_BIN / "svcctl"), "--timeout=60", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def add_vpn(self, wait: str = "hv") -> None:
        """The scenario's commands; 'wait' is svcctl's of the last."""
        self.svcctl("--may-exist", "group-add", "vpns", "least")
        self.svcctl(*("vpn-add", "mercury", tenant.ROUTER, EXTERNAL, tenant.SUBNET, "--group=vpns"))
        self.svcctl(
            *(f"--wait={wait}", "conn-add", "mercury", "to-venus", SITE_ADDRESS, SITE_SUBNET),
            f"--psk-file={self.psk_file}",
        )

    def add_vpn_and_wait(self) -> str:
        """As add_vpn, and returns the chassis once the tunnel is up and carries traffic."""
        self.add_vpn()
        self.wait_tunnel()
        return self.find_chassis()

    def wait_tunnel(self) -> None:
        """Waits for the tunnel in the northbound and in traffic."""
        self.wait(lambda: self.row("VPN_Service")["status"] == "up", "status up")
        for guest in self.live_guests():
            traffic.wait_reachable(self.lab, guest, SITE_HOST, PATIENCE_S)

    def clean(self) -> None:
        """Removes every VPN and group; brings dead hosts and processes back."""
        everything = ("VPN_Service", "Container_Group", "Port_Group", "Chassis")
        commands = [word for table in everything for word in ("--", "--all", "destroy", table)]
        self.svcctl(*commands[1:], "--", "clear", "SVC_Global", ".", "options")
        # Which connections named until then.
        self.svcctl("--all", "destroy", "IKE_Policy", "--", "--all", "destroy", "IPsec_Policy")
        self.wait_whole()
        self.wait(lambda: not self.rows("SVC_Northbound", "Service_Container"), "no container")
        self.svcctl("--wait=hv", "sync")

    def wait_whole(self) -> None:
        """Starts what is dead or stopped, ends partitions, waits until every chassis is alive."""
        cloud.make_whole(self.lab)
        chassis = [host.name for host in self.lab.list_chassis()]
        self.wait(lambda: self.alive_chassis() == chassis, "every chassis alive")

    # -- traffic -----------------------------------------------------------

    def ping(
        self,
        guest: str,
        interval_s: float = traffic.PING_INTERVAL_S,
        target: str = SITE_HOST,
    ) -> traffic.Ping:
        """Returns a ping of the site's host, which ends with the test at the latest."""
        started = traffic.Ping(self.lab, guest, target, interval_s)
        self._pings.append(started)
        return started

    def capture_on(self, host: str, expression: str) -> traffic.LinkCapture:
        """Returns a capture of every link of a host, which ends with the test at the latest."""
        path = self.psk_file.with_name(f"{host}.packets")
        started = traffic.LinkCapture(self.lab, path, host, expression)
        self._captures.append(started)
        return started

    def stop_pings(self) -> None:
        """Ends every ping and every capture of a host."""
        for ping in self._pings:
            ping.kill()
        for capture in self._captures:
            capture.stop()

    def count_clear(self) -> int:
        """Returns how many packets between the sites were on the provider network in clear."""
        assert self.capture is not None
        return self.capture.count(traffic.format_clear(tenant.SUBNET, SITE_SUBNET))

    # -- databases ---------------------------------------------------------

    def rows(self, database: str, table: str, *where: list[Any]) -> list[dict[str, Any]]:
        """Returns rows as OVSDB's JSON."""
        path = Path(self.environment[_SOCKETS[database]].removeprefix("unix:"))
        select = {"op": "select", "table": table, "where": list(where)}
        found: list[dict[str, Any]] = request(path, "transact", [database, select])[0]["rows"]
        return found

    def transact(self, database: str, *operations: dict[str, Any]) -> Any:
        """Writes around svcctl, as ovsdb-client would."""
        path = Path(self.environment[_SOCKETS[database]].removeprefix("unix:"))
        results = request(path, "transact", [database, *operations])
        assert not [each for each in results if each and "error" in each], results
        return results

    def convert(self, database: str) -> None:
        """Converts a database online to a schema with a table more, as an upgrade does."""
        path = Path(self.environment[_SOCKETS[database]].removeprefix("unix:"))
        schema = request(path, "get_schema", [database])
        schema["tables"]["Of_The_Future"] = {"columns": {"name": {"type": "string"}}}
        request(path, "convert", [database, schema])

    def row(self, table: str) -> dict[str, Any]:
        """Returns the only row of a table of the northbound."""
        rows = self.rows("SVC_Northbound", table)
        assert len(rows) == 1, rows
        return rows[0]

    def find_chassis(self) -> str:
        """Returns the chassis of the only container."""
        chassis: str = self.row("Service_Container")["chassis"]
        return chassis

    def alive_chassis(self) -> list[str]:
        """Returns the chassis that svc-northd holds for alive."""
        weights = self.rows("SVC_Southbound", "Chassis_Weight", ["alive", "==", True])
        return sorted(row["chassis"] for row in weights)

    def list_registered(self) -> list[str]:
        """Returns the chassis of which the southbound has any row of their own."""
        tables = {"Chassis": "name", "Chassis_Private": "name", "Chassis_Weight": "chassis"}
        rows = (
            row[column]
            for table, column in tables.items()
            for row in self.rows("SVC_Southbound", table)
        )
        return sorted(set(rows))

    # -- hosts -------------------------------------------------------------

    def host(self, name: str) -> Host:
        return self.lab.get_host(name)

    def live_guests(self) -> list[str]:
        """Returns the guests whose chassis is alive."""
        places = tenant.GUEST_HOSTS.items()
        return [guest for guest, name in places if self.host(name).find_init() is not None]

    def find_charon(self, chassis: str) -> list[int]:
        """Returns the pids of charon on a chassis."""
        return sorted(each.pid for each in self.host(chassis).find_processes("charon"))

    def wait(self, condition: Callable[[], Any], what: str, timeout_s: float = PATIENCE_S) -> Any:
        """Returns the first true value of 'condition'."""
        return wait_until(condition, what, timeout_s)

    def read_everything(self, chassis: str) -> bytes:
        """Returns arguments and environment of each process of a chassis, and its files."""
        host = self.host(chassis)
        namespace = read_namespace(host.get_init(), "pid")
        parts = []
        for pid in process.list_pids():
            if read_namespace(pid, "pid") == namespace:
                for name in ("cmdline", "environ"):
                    with contextlib.suppress(OSError):
                        parts.append(Path(f"/proc/{pid}/{name}").read_bytes())
        for folder in ("run/ovnsvc", "var/log", "var/lib/openvswitch", "etc/ovnsvc"):
            for path in (host.directory / folder).rglob("*"):
                if path.is_file():
                    parts.append(path.read_bytes())
        return b"\n".join(parts)

    # -- everything that could be left over ----------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Returns all that a VPN could leave behind: rows, namespaces, links, ports, files..."""
        seen: dict[str, Any] = {
            "southbound": self._dump_southbound(),
            "ovn": self._dump_ovn(),
        }
        for host in self.lab.list_chassis():
            if host.find_init() is not None:
                seen[host.name] = self._look_at(host)
        return seen

    def _dump_southbound(self) -> dict[str, Any]:
        tables = ("Container_Binding", "Port_Binding", "Redirect_Flow", "Container_Item")
        dump: dict[str, Any] = {table: len(self.rows("SVC_Southbound", table)) for table in tables}
        dump["scheduled"] = {
            row["chassis"]: row["scheduled"]
            for row in self.rows("SVC_Southbound", "Chassis_Weight")
        }
        return dump

    def _dump_ovn(self) -> dict[str, Any]:
        tables = (
            *("Logical_Switch", "Logical_Switch_Port", "Logical_Router", "Logical_Router_Port"),
            *("Logical_Router_Static_Route", "Logical_Router_Policy", "NAT"),
        )
        return {
            table: sorted(
                json.dumps({key: row[key] for key in row if key != "_version"}, sort_keys=True)
                for row in self.rows("OVN_Northbound", table)
            )
            for table in tables
        }

    def _look_at(self, host: Host) -> dict[str, Any]:
        ports = host.run("ovs-vsctl", "--bare", "--columns=name", "list", "Interface")
        # Directories that are there once the first container was, and empty, are no trace of it;
        # logs that outlive it are one that is to be.
        places = "/run/ovnsvc /var/lib/ovnsvc /var/log/ovnsvc /etc/ovnsvc"
        files = f"find {places} ! -type d ! -path '*/containers/past/*' | sort"
        names = "cat /proc/[0-9]*/comm 2>/dev/null | sort"
        return {
            "namespaces": sorted(host.run("ls", "/run/netns").split()),
            "links": sorted(link["ifname"] for link in json.loads(host.run("ip", "-json", "link"))),
            # OVN makes and removes patch ports and tunnels of its own as it sees fit.
            "ports": sorted(
                name for name in ports.split() if not name.startswith(("patch-", "ovn-"))
            ),
            "processes": [
                name
                for name in host.run("sh", "-c", names).split()
                if name not in ("sh", "cat", "sort", "nsenter", "ps")
            ],
            "files": [
                name
                for name in host.run("sh", "-c", files).split()
                if not name.endswith((".ctl", ".pid"))
            ],
        }
