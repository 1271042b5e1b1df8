"""What must hold of a lab once everything in it is mended, whatever was done to it before.

Each law is a function of what is seen and returns what breaks it, in words, "" if nothing does.
'Laws.check' waits for each, since a cloud needs its time to settle.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from . import central, database, guest, traffic
from .errors import LabError
from .host import Host, read_namespace
from .process import ProcessId
from .soak_model import State, Vpn
from .soak_other_rules import list_translated
from .state import Lab
from .tenant import Tenant

# A program that was killed four times is in error until it has run for a minute
# (services/api/restarts.py), and it may have begun a while after the last mending.
SETTLE_S = 90.0
POLL_S = 0.2
MARKED = (
    *("Logical_Switch", "Logical_Switch_Port", "Logical_Router_Port"),
    *("Logical_Router_Static_Route", "Logical_Router_Policy", "NAT"),
)
OF_CONTAINERS = (
    *("Container_Binding", "Port_Binding", "Redirect_Flow", "Container_Item"),
    *("Avoided_Chassis", "Placement"),
)
# What a program says when it met what it did not expect; another one's silence is no such thing.
# The role of a chassis forbids what no program of ours writes.
REFUSED = "permission error"
UNEXPECTED = re.compile(
    rf"\|(?!reconnect)[\w-]+\|(ERR|EMER)\||Traceback|unexpected failure|{REFUSED}"
)
# Links and ports that are not containers', beside those of guests.
OTHERS = re.compile(r"lo|mgmt|underlay|provider|ovs-netdev|br-.*|patch-.*|ovn-.*|ipsec\d+")


class Broken(Exception):
    """A law does not hold; the message says which and what breaks it."""


@dataclass
class Laws:
    """The laws of one lab; 'containers' is the container that each tenant's VPN has.

    'second' is whether each VPN has the second subnet of its site, too.
    """

    lab: Lab
    tenants: dict[int, Tenant]
    containers: dict[int, str]
    second: bool = False
    _read_to: dict[Path, int] = field(default_factory=dict)

    def check(self, state: State, capture: traffic.Capture) -> None:
        """Returns once every law holds.  Raises Broken with the first that never does."""
        self._wait("every process runs", self.find_absent)
        self._wait("every chassis is alive", lambda: self.find_unfit(state))
        database.svcctl(self.lab, "--wait=hv", "sync")
        self._wait("each container has its place", lambda: self.find_misplaced(state))
        self._wait("no migration is pending", self.find_pending)
        self._wait("every VPN passes traffic", lambda: self.find_silent(state))
        self._wait("nothing is left over on a chassis", self.find_debris)
        self._wait("no row is left over", lambda: self.find_stale_rows(state))
        self._wait("a recompute changes nothing", self.find_recomputed)
        if broken := self.find_clear(capture):
            raise Broken(f"nothing passes in clear: {broken}")
        if broken := self.find_unexpected():
            raise Broken(f"no daemon meets what it does not expect: {broken}")

    def _wait(self, words: str, find: Callable[[], str]) -> None:
        deadline = time.monotonic() + SETTLE_S
        while broken := self._find(find):
            if time.monotonic() > deadline:
                raise Broken(f"{words}: {broken}")
            time.sleep(POLL_S)

    def _find(self, find: Callable[[], str]) -> str:
        """Returns what 'find' does, or why it cannot be known."""
        try:
            return find()
        except LabError as error:
            return str(error)

    def find_absent(self) -> str:
        """Everything that should run does."""
        from .main import format_processes  # the command's own words

        for host in self.lab.list_hosts():
            words = format_processes(host) if host.find_init() else "dead"
            if re.search(r"dead|stopped|no svc-northd", words):
                return f"{host.name}: {words}"
        return ""

    def find_unfit(self, state: State) -> str:
        """svc-northd holds every chassis for alive."""
        alive = {row["chassis"] for row in self._southbound("Chassis_Weight") if row["alive"]}
        return ", ".join(sorted(set(state.chassis) - alive))

    def _southbound(self, table: str) -> list[database.Row]:
        return database.select(self.lab, "SVC_Southbound", table)

    def find_misplaced(self, state: State) -> str:
        """Each container has one active binding, where OVN has its port too, and its standbys."""
        bindings = self._southbound("Container_Binding")
        for number, vpn in state.vpns.items():
            name = self.containers[number]
            own = [row for row in bindings if row["container"] == name]
            active = [row["chassis"] for row in own if row["role"] == "active"]
            if len(active) != 1:
                return f"{name}: active on {active or 'no chassis'}"
            if bad := [row for row in own if row["status_code"] != "running"]:
                return f"{name} on {bad[0]['chassis']}: {bad[0]['status_message']}"
            if broken := find_forbidden(state, vpn, active[0]):
                return f"{name}: active on {active[0]}, {broken}"
            wanted = state.groups.get(vpn.group, 0)
            fewest = min(wanted, len(state.list_places(vpn)) - 1)
            if not fewest <= len(own) - 1 <= wanted:
                return f"{name}: {len(own) - 1} standbys of {wanted}"
            if (place := self.find_ovn_place(name)) != active[0]:
                return f"{name}: active on {active[0]}, in OVN on {place or 'no chassis'}"
        return ""

    def find_pending(self) -> str:
        """Every request to migrate a container is over, also one for what cannot be."""
        rows = database.select(self.lab, "SVC_Northbound", "Service_Container")
        names = {row["name"] for row in rows}
        for row in database.select(self.lab, "SVC_Northbound", "Container_Wish"):
            if row["name"] in names and row["migrated_cfg"] < row["migrate_cfg"]:
                return f"{row['name']}: migration to {row['migrate_chassis'] or 'no chassis'}"
        return ""

    def find_ovn_place(self, name: str) -> str:
        """Returns the chassis on which OVN has a container's port, "" where it is not up."""
        where = ["logical_port", "==", name]
        for port in database.select(self.lab, "OVN_Southbound", "Port_Binding", where):
            for row in database.select(self.lab, "OVN_Southbound", "Chassis"):
                if row["_uuid"] == port["chassis"] and port["up"] is True:
                    return str(row["name"])
        return ""

    def find_silent(self, state: State) -> str:
        """Traffic passes through each VPN from its guest."""
        for number in state.list_demanded():
            tenant = self.tenants[number]
            targets = (tenant.site_host, *([tenant.second_host] if self.second else []))
            for name, target in product(tenant.guest_hosts, targets):
                if not traffic.is_reachable(self.lab, name, target):
                    return f"{tenant.site}: {name} does not reach {target}"
        return ""

    def find_debris(self) -> str:
        """A chassis has what belongs to its bindings, nothing else and nothing twice."""
        bindings = self._southbound("Container_Binding")
        for host in self.lab.list_chassis():
            wanted = sorted(row["container"] for row in bindings if row["chassis"] == host.name)
            for kind, found in look_at(host).items():
                if found != wanted:
                    return f"{host.name}: {kind} of {found}, bindings of {wanted}"
        return ""

    def find_stale_rows(self, state: State) -> str:
        """Every row of ours is of a container that is there."""
        known = {self.containers[number] for number in state.vpns}
        for table in OF_CONTAINERS:
            names = {row["container"] for row in self._southbound(table)}
            if names - known:
                return f"{table}: rows of {sorted(names - known)}"
        for table in MARKED:
            for row in database.select(self.lab, "OVN_Northbound", table):
                key = database.parse_map(row["external_ids"]).get("ovnsvc-key")
                if key is not None and key.partition("/")[0] not in known:
                    return f"OVN's {table}: {key}"
        return ""

    def find_recomputed(self) -> str:
        """Computing everything again changes no row."""
        host = self.lab.get_host("central")
        before = self.dump()
        active = central.find_active_northd(host)
        if not active:
            return "no svc-northd is active"
        central.ask_northd(host, active, "inc-engine/recompute")
        database.svcctl(self.lab, "--wait=sb", "sync")
        after = self.dump()
        return "; ".join(
            f"{table}: {json.dumps(row)[:400]}"
            for table in before
            for row in after[table]
            if row not in before[table]
        )

    def dump(self) -> dict[str, list[Any]]:
        """Returns the rows that svc-northd makes, without what changes by itself."""
        own = ("Container_Binding", "Port_Binding", "Redirect_Flow", "Avoided_Chassis", "Placement")
        found = {table: self._southbound(table) for table in own}
        for table in MARKED:
            rows = database.select(self.lab, "OVN_Northbound", table)
            found[table] = [
                row for row in rows if "ovnsvc" in database.parse_map(row["external_ids"])
            ]
        return found

    def find_clear(self, capture: traffic.Capture) -> str:
        """No packet between a tenant and its site was on the provider network in clear."""
        for tenant in self.tenants.values():
            translated = (tenant.router_address, *list_translated(tenant).values())
            for subnet in (tenant.site_subnet, tenant.second_subnet):
                words = traffic.format_clear(tenant.subnet, subnet, translated)
                if packets := capture.list_packets(words):
                    where = f"between {tenant.subnet} and {subnet}"
                    return f"{len(packets)} packets {where}, the first {packets[0]}"
        return ""

    def find_unexpected(self) -> str:
        """Our daemons' logs, from where they were last read, have no error."""
        found = (line for line in read_logs(self.lab, self._read_to) if UNEXPECTED.search(line))
        return next(found, "")


def read_logs(lab: Lab, read_to: dict[Path, int]) -> list[str]:
    """Returns the lines of our daemons' logs, with their hosts, from where 'read_to' says.

    That is brought up to date.
    """
    found = []
    for path in sorted(lab.directory.glob("hosts/*/var/log/ovnsvc/svc-*.log")):
        text = path.read_text(errors="replace")
        begin, read_to[path] = read_to.get(path, 0), len(text)
        found += [f"{path.parents[3].name}: {line}" for line in text[begin:].splitlines()]
    return found


def find_forbidden(state: State, vpn: Vpn, active: str) -> str:
    """Returns why a VPN's container is not to be active there, "" if it may be."""
    if vpn.pin not in ("", active):
        return f"pinned to {vpn.pin}"
    if active not in state.list_near(vpn):
        return "the ports of its group are elsewhere"
    if active in state.drained | state.weightless:
        return "which is to be empty"
    return ""


def look_at(host: Host) -> dict[str, list[str]]:
    """Returns, for each kind of thing that a container leaves on a chassis, whose are there."""
    guests = {each.name for each in guest.list_guests(host)}

    def keep(names: list[str]) -> list[str]:
        own = (name for name in names if name not in guests and not OTHERS.fullmatch(name))
        return sorted(own)

    namespaces = host.run("ip", "-json", "netns", "list")
    links = json.loads(host.run("ip", "-json", "link"))
    ports = host.run("ovs-vsctl", "--bare", "--columns=name", "list", "Interface").split()
    folder = "ls /run/ovnsvc/containers 2>/dev/null || true"
    # Those of containers that are gone are in a directory there.
    logs = "cd /var/log/ovnsvc/containers 2>/dev/null && ls -d *.log 2>/dev/null || true"
    names = keep([each["name"] for each in json.loads(namespaces or "[]")])
    charons = host.find_processes("charon")
    return {
        "namespaces": names,
        "links": keep([link["ifname"] for link in links]),
        "ports": keep(ports),
        "directories": keep(host.run("sh", "-c", folder).split()),
        "logs": keep([name.removesuffix(".log") for name in host.run("sh", "-c", logs).split()]),
        "charons": find_owners(host, names, charons),
    }


def find_owners(host: Host, names: list[str], charons: list[ProcessId]) -> list[str]:
    """Returns the container of each charon, by its network namespace; "?" for one without."""
    spaces = {host.find_netns(name): name for name in names}
    return sorted(spaces.get(read_namespace(each.pid, "net"), "?") for each in charons)
