"""Does to the lab what others than our operator do: in OVN, to databases and keys, at the sites."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field, replace

from . import cloud, database, peer, transport
from .host import Host
from .peer_conf import KINDS, STOCK
from .soak_failures import Failures
from .soak_other_rules import format_foreign

SERVED = {
    "ovnnb_db": ("/run/ovn/ovnnb_db.sock", "OVN_Northbound"),
    "ovnsb_db": ("/run/ovn/ovnsb_db.sock", "OVN_Southbound"),
    "svcnb_db": ("/run/ovnsvc/svcnb_db.sock", "SVC_Northbound"),
    "svcsb_db": ("/run/ovnsvc/svcsb_db.sock", "SVC_Southbound"),
    "ovsdb-server": ("/run/openvswitch/db.sock", "Open_vSwitch"),
}
FUTURE = "Of_The_Future"
ANSWER_S = 30
# The least that the schema takes, in s.
SHORT_S = 60
LONG_S = 3600


@dataclass
class Others(Failures):
    """The operations of soak_other_rules.py.

    '_likes' is the kind of each tenant's site, '_lifetimes' whether SAs with it are to live short
    or long, where that is not the usual one.
    """

    _likes: dict[int, str] = field(default_factory=dict)
    _lifetimes: dict[int, str] = field(default_factory=dict)

    def make_policies(self) -> None:
        """Makes the policies that connections of the soak have."""
        for name, lifetime in (("short", SHORT_S), ("long", LONG_S)):
            database.svcctl(self.lab, "ipsec-policy-add", name, f"lifetime={lifetime}")
            for version in (1, 2):
                words = (f"lifetime={lifetime}", f"ike_version=v{version}")
                database.svcctl(self.lab, "ike-policy-add", f"v{version}-{name}", *words)

    def _list_policies(self, number: int) -> list[str]:
        """Returns the options of conn-add and conn-set that go with a tenant's site."""
        lifetime = self._lifetimes.get(number, "long")
        version = KINDS[self._likes.get(number, STOCK)].version
        return [f"--ike-policy=v{version}-{lifetime}", f"--ipsec-policy={lifetime}"]

    def _set_policies(self, number: int) -> None:
        """Gives a tenant's connection its policies, if there is one."""
        site = self.tenants[number].site
        if database.find_row(self.lab, "IPsec_Connection", f"to-{site}"):
            options = self._list_policies(number)
            database.svcctl(self.lab, "conn-set", site, f"to-{site}", *options)

    def _do_lifetime(self, target: str, value: str) -> None:
        self._lifetimes[int(target)] = value
        self._set_policies(int(target))

    def _do_site(self, target: str, value: str) -> None:
        """Makes a site like another make's, and the operator agrees with it."""
        self._likes[int(target)] = value
        host = self.lab.get_host(self._find_tenant(target).site)
        peer.configure(host, replace(peer.read_site(host), like=value))
        cloud.kill_process(host, "charon")
        self._set_policies(int(target))
        cloud.start_process(host, "charon")

    def _do_foreign_add(self, target: str, value: str) -> None:
        make, _ = format_foreign(self._find_tenant(target), value)
        self.lab.get_host("central").run("ovn-nbctl", *make)

    def _do_foreign_del(self, target: str, value: str) -> None:
        _, unmake = format_foreign(self._find_tenant(target), value)
        self.lab.get_host("central").run("ovn-nbctl", *unmake)

    def _do_rekey(self, target: str, _value: str) -> None:
        transport.renew(self.lab, self.lab.get_host(target))

    def _do_convert(self, target: str, value: str) -> str:
        return convert(self.lab.get_host(target), *SERVED[value])


def convert(host: Host, socket: str, name: str) -> str:
    """Converts a database online, as an upgrade or its undoing does, by a table more or less."""
    client = ("ovsdb-client", f"--timeout={ANSWER_S}")
    schema = json.loads(host.run(*client, "get-schema", f"unix:{socket}", name))
    there = schema["tables"].pop(FUTURE, None)
    if not there:
        schema["tables"][FUTURE] = {"columns": {"name": {"type": "string"}}}
    with tempfile.NamedTemporaryFile("w", suffix=".ovsschema") as file:
        json.dump(schema, file)
        file.flush()
        host.run(*client, "convert", f"unix:{socket}", file.name)
    return f"{name} {'without' if there else 'with'} a table {FUTURE}"
