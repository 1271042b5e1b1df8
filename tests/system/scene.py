"""What a test of a failure begins and ends with: two VPNs, traffic through both, and the laws.

Things happen to the first VPN, `mercury`; the second, `mars`, is another tenant's and must not lose
a packet whatever happens.  Everything of the second is on hv3: guest, gateway, container.
"""

from __future__ import annotations

from dataclasses import replace

from ...utilities.lab import central, tenant, traffic
from ...utilities.lab.host import Host
from ...utilities.lab.soak_actions import find_container
from ...utilities.lab.soak_laws import Laws, look_at
from ...utilities.lab.soak_model import State, Vpn
from ...utilities.lab.tenant import Tenant
from .site import Operator

ASIDE = "hv3"
# No second gateway chassis: one that is cut from the others may think for a moment that it has to
# take over, and OVN then answers for the router on the provider network from two places.
OTHER = Tenant(2, {"vm3": ASIDE}, (ASIDE,))
TENANTS = {1: tenant.FIRST, 2: OTHER}
ENOUGH_ANSWERS = 10


class Scene:
    """Two VPNs of one operator."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        self.lab = operator.lab
        self.containers = {n: find_container(self.lab, each) for n, each in TENANTS.items()}
        self.container = self.containers[1]
        self._laws = Laws(self.lab, TENANTS, self.containers)
        self._laws.find_unexpected()  # from here on
        self._standbys = 0

    # -- the beginning -----------------------------------------------------

    def begin(self, place: str, guest: str, standbys: int = 0) -> None:
        """Builds both VPNs, the first on chassis 'place', and starts a ping through each."""
        operator = self.operator
        self._standbys = standbys
        operator.add_vpn()
        psk = f"--psk-file={operator.psk_file}"
        operator.svcctl(
            *("vpn-add", "mars", OTHER.router, OTHER.external, OTHER.subnet),
            *("--", "conn-add", "mars", "to-mars", OTHER.site_address, OTHER.site_subnet, psk),
        )
        for name in self.containers.values():
            operator.svcctl("wait-until", "Service_Container", name, "status_code=running")
        for name, chassis in ((self.container, place), (self.containers[2], ASIDE)):
            operator.svcctl("container-pin", name, chassis)
            operator.wait(lambda: self.list_places(name) == [chassis], f"{name} on {chassis}")  # noqa: B023
        operator.svcctl("container-unpin", self.container)
        if standbys:
            operator.svcctl("set", "Container_Group", "vpns", f"options:standby={standbys}")
            operator.wait(self.find_ready_standby, "a standby that is ready")
        self.wait_answers(guest)
        self.ping = operator.ping(guest)
        self.other = operator.ping("vm3", target=OTHER.site_host)
        for each in (self.ping, self.other):
            each.wait_answers(ENOUGH_ANSWERS)

    def wait_answers(self, guest: str) -> None:
        """Waits for traffic through both VPNs."""
        traffic.wait_reachable(self.lab, guest, tenant.FIRST.site_host, 60)
        traffic.wait_reachable(self.lab, "vm3", OTHER.site_host, 60)

    # -- the middle --------------------------------------------------------

    def list_places(self, name: str = "") -> list[str]:
        """Returns the chassis that a container is bound to, the active one first."""
        where = ["container", "==", name or self.container]
        rows = self.operator.rows("SVC_Southbound", "Container_Binding", where)
        return [row["chassis"] for row in sorted(rows, key=lambda row: str(row["role"]))]

    def find_active(self) -> str:
        """Returns the chassis on which the first VPN's container is active, "" for none."""
        where = [["container", "==", self.container], ["role", "==", "active"]]
        rows = self.operator.rows("SVC_Southbound", "Container_Binding", *where)
        return str(rows[0]["chassis"]) if len(rows) == 1 else ""

    def find_ready_standby(self) -> str:
        """Returns a chassis that holds the first VPN's container ready, "" for none."""
        where = [["container", "==", self.container], ["role", "==", "standby"]]
        rows = self.operator.rows("SVC_Southbound", "Container_Binding", *where)
        ready = (row for row in rows if row["status_code"] == "running")
        return next((str(row["chassis"]) for row in ready), "")

    def wait_moved(self, old: str) -> str:
        """Returns the chassis of the first VPN's container once it is another than 'old'."""
        found = self.operator.wait(
            lambda: (place := self.find_active()) not in ("", old) and place, f"away from {old}", 60
        )
        return str(found)

    def wait_traffic(self) -> None:
        """Waits until the first VPN's ping is answered again."""
        self.ping.wait_answers(ENOUGH_ANSWERS)

    def find_northd(self) -> tuple[Host, str]:
        """Returns central and the name of the active svc-northd."""
        host = self.operator.host("central")
        return host, str(self.operator.wait(lambda: central.find_active_northd(host), "an active"))

    def has_debris(self, chassis: str) -> bool:
        """Says whether a chassis has anything of the first VPN's container."""
        found = look_at(self.operator.host(chassis))
        return any(self.container in names for names in found.values())

    # -- the end -----------------------------------------------------------

    def end(self) -> traffic.Answers:
        """Mends everything; holds every law and the other VPN's loss to none.

        Returns what the first VPN's ping saw.
        """
        self.wait_traffic()
        self.other.wait_answers(ENOUGH_ANSWERS)
        other = self.other.stop()
        assert other.lost == 0, "packets of an unrelated VPN"
        answers = self.ping.stop()
        self.operator.wait_whole()
        vpns = {1: Vpn(group="vpns"), 2: Vpn(pin=ASIDE)}
        chassis = tuple(host.name for host in self.lab.list_chassis())
        northds = central.list_northds(self.operator.host("central"))
        state = State(chassis, northds, tuple(TENANTS), vpns, {"vpns": self._standbys})
        refused = self.operator.rows("SVC_Northbound", "Chassis")
        drained = {row["name"] for row in refused if row["drain"]}
        weightless = {row["name"] for row in refused if row["container_weight"] == 0}
        state = replace(state, drained=frozenset(drained), weightless=frozenset(weightless))
        assert self.operator.capture is not None
        self._laws.check(state, self.operator.capture)
        return answers
