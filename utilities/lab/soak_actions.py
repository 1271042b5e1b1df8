"""Does the soak's operations to a lab."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from . import central, database
from .errors import LabError
from .soak_model import Operation
from .soak_others import Others
from .state import Lab
from .tenant import Tenant

ABSENT_PEER = "1.0.0.200"
# Longer than any interval of an operation, and shorter than a law waits.
DPD_TIMEOUT_S = 40


class Actor(Others):
    """Somebody who operates and breaks the lab.

    'containers' is the name of the container that each tenant's VPN has.  What is done to processes
    and hosts is in soak_failures.py, what others do in soak_others.py.
    """

    def __init__(self, lab: Lab, tenants: dict[int, Tenant], psk_file: Path) -> None:
        containers = {number: find_container(lab, each) for number, each in tenants.items()}
        super().__init__(lab, tenants, containers)
        self._psk = f"--psk-file={psk_file}"

    def do(self, operation: Operation) -> str:
        """Does one operation; returns what more there is to say of it.

        Raises LabError if the lab or svcctl refuses it.
        """
        target, value = operation.target, operation.value
        act = self._find_action(operation.name)
        return act(target, value) or ""

    def _find_action(self, name: str) -> Callable[[str, str], str | None]:
        found: Callable[[str, str], str | None] = getattr(self, f"_do_{name.replace('-', '_')}")
        return found

    def _do_wait(self, _target: str, value: str) -> None:
        time.sleep(float(value))

    # -- VPNs and groups ---------------------------------------------------

    def _svcctl(self, *arguments: str) -> None:
        database.svcctl(self.lab, *arguments)

    def _do_vpn_add(self, target: str, value: str) -> None:
        tenant = self._find_tenant(target)
        group = [f"--group={value}"] if value else []
        self._svcctl(
            *("vpn-add", tenant.site, tenant.router, tenant.external, tenant.subnet, *group),
            *("--", "conn-add", tenant.site, f"to-{tenant.site}"),
            *(tenant.site_address, f"{tenant.site_subnet},{tenant.second_subnet}", self._psk),
            # With IKEv1 a peer that lost its SAs is noticed by nothing else.
            f"--dpd-timeout={DPD_TIMEOUT_S}",
            *self._list_policies(tenant.number),
        )

    def _do_vpn_del(self, target: str, _value: str) -> None:
        self._svcctl("vpn-del", self._find_tenant(target).site)

    def _do_vpn_group(self, target: str, value: str) -> None:
        name = self._find_tenant(target).site
        if not value:
            self._svcctl("clear", "VPN_Service", name, "group")
            return
        row = database.find_row(self.lab, "Container_Group", value)
        self._svcctl("set", "VPN_Service", name, f"group={row['_uuid'][1]}")

    def _do_conn_add(self, target: str, _value: str) -> None:
        name = self._find_tenant(target).site
        # As no tenant has it, and another for each, for a peer that is nowhere.
        subnet = f"192.168.{100 + int(target)}.0/24"
        self._svcctl("conn-add", name, f"spare-{name}", ABSENT_PEER, subnet, self._psk)

    def _do_conn_del(self, target: str, _value: str) -> None:
        name = self._find_tenant(target).site
        self._svcctl("conn-del", name, f"spare-{name}")

    def _do_conn_dpd(self, target: str, value: str) -> None:
        name = self._find_tenant(target).site
        self._svcctl("conn-set", name, f"to-{name}", f"--dpd-interval={value}")

    def _do_conn_enable(self, target: str, value: str) -> None:
        name = self._find_tenant(target).site
        self._svcctl("set", "IPsec_Connection", f"to-{name}", f"enabled={value}")

    def _do_group_add(self, target: str, value: str) -> None:
        self._svcctl("group-add", target, value)

    def _do_group_del(self, target: str, _value: str) -> None:
        self._svcctl("group-del", target)

    def _do_group_policy(self, target: str, value: str) -> None:
        self._svcctl("set", "Container_Group", target, f"policy={value}")

    def _do_group_standby(self, target: str, value: str) -> None:
        self._svcctl("set", "Container_Group", target, f"options:standby={value}")

    def _do_group_spread(self, target: str, value: str) -> None:
        row = ("Container_Group", target)
        self._svcctl(*(("set", *row, f"spread={value}") if value else ("clear", *row, "spread")))

    def _do_group_ports(self, target: str, value: str) -> None:
        if not value:
            self._svcctl("group-set-port-group", target)
            return
        tenants = [self.tenants[int(number)] for number in value.split(",")]
        ports = [each.switch_port for tenant in tenants for each in tenant.make_guests(self.lab)]
        name = f"near-{target}"
        change: tuple[str, ...]
        if database.find_row(self.lab, "Port_Group", name):
            change = ("set", "Port_Group", name, f"ports={','.join(ports)}")
        else:
            change = ("port-group-add", name, *ports)
        self._svcctl(*change, "--", "group-set-port-group", target, name)

    # -- places ------------------------------------------------------------

    def _do_pin(self, target: str, value: str) -> str:
        return self._place("container-pin", target, value)

    def _do_unpin(self, target: str, _value: str) -> str:
        return self._place("container-unpin", target)

    def _do_migrate(self, target: str, value: str) -> str:
        return self._place("container-migrate", target, value)

    def _do_migrate_badly(self, target: str, value: str) -> str:
        """Writes the request itself, since svcctl would refuse some of them."""
        name = self.containers[int(target)]
        if not self._find_container_row(name):
            return "there is no container"
        row = database.find_row(self.lab, "Container_Wish", name)
        if not row:
            self._svcctl("create", "Container_Wish", f"name={name}")
        there = ("Container_Wish", name)
        chassis = ("set", *there, f"migrate_chassis={value}")
        number = ("set", *there, f"migrate_cfg={row.get('migrate_cfg', 0) + 1}")
        self._svcctl(*(chassis if value else ("clear", *there, "migrate_chassis")), "--", *number)
        return ""

    def _place(self, command: str, target: str, *chassis: str) -> str:
        name = self.containers[int(target)]
        if not self._find_container_row(name):
            return "there is no container"
        self._svcctl("--no-check", command, name, *chassis)
        return ""

    def _find_container_row(self, name: str) -> database.Row:
        """Returns the row of a VPN's container, for which svc-northd may need a moment; or {}."""
        with contextlib.suppress(LabError):
            self._svcctl("--timeout=10", "wait-until", "Service_Container", name, f"name={name}")
        return database.find_row(self.lab, "Service_Container", name)

    def _do_rack(self, target: str, value: str) -> None:
        there = database.find_row(self.lab, "Chassis", target)
        change = ("set", "Chassis", target) if there else ("create", "Chassis", f"name={target}")
        self._svcctl(*change, f"external_ids:rack={value}")

    def _do_drain(self, target: str, _value: str) -> None:
        self._svcctl("--no-check", "chassis-drain", target)

    def _do_undrain(self, target: str, _value: str) -> None:
        self._svcctl("--no-check", "chassis-undrain", target)

    def _do_weight(self, target: str, value: str) -> None:
        self._svcctl("--no-check", "chassis-set-weight", target, value)

    def _do_limit(self, target: str, value: str) -> None:
        self._svcctl("--no-check", "chassis-set-limit", target, value)

    def _do_enforce_limit(self, _target: str, value: str) -> None:
        self._svcctl("set", "SVC_Global", ".", f"options:enforce-container-limit={value}")

    def _do_recompute(self, _target: str, _value: str) -> str:
        host = self.lab.get_host("central")
        active = central.find_active_northd(host)
        if not active:
            return "no svc-northd is active"
        central.ask_northd(host, active, "inc-engine/recompute")
        return active


def find_container(lab: Lab, tenant: Tenant) -> str:
    """Returns the name that the container of the tenant's VPN has, by lib/router.py."""
    rows = database.select(lab, "OVN_Northbound", "Logical_Router", ["name", "==", tenant.router])
    return f"vpn-{UUID(rows[0]['_uuid'][1]).hex[:11]}"
