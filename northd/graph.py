"""Every node and every input of svc-northd; no logic.

    nb.*, ovn.* ──> router ──> vpn ──> container ──────────────┐
    nb.*, ovn_sb.* ──> port_group ──> group ─┘    │            │
    nb.*, sb.*, alive ──> chassis ──> health ─> binding        │
    clock, patience ────────────────────┘         │            │
                                                  └─> ready    └─> transit
                                                        └─> redirect <─┘

The outputs are rows that should be there, which the sync_* modules hold against
the rows that are: southbound, redirect_rows, ovn, container_status, vpn_status.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..lib import nb, sb
from ..lib.rows import Row
from . import (
    en_binding,
    en_chassis,
    en_container,
    en_group,
    en_health,
    en_ovn,
    en_port_group,
    en_redirect,
    en_router,
    en_southbound,
    en_status,
    en_transit,
    en_vpn,
    ovn,
    ovn_sb,
)
from .engine import Node

NB_CLASSES: tuple[type[Row], ...] = (
    nb.SVCGlobal,
    nb.VPNService,
    nb.IPsecConnection,
    nb.IKEPolicy,
    nb.IPsecPolicy,
    nb.ContainerGroup,
    nb.ChassisGroup,
    nb.PortGroup,
    nb.Chassis,
    nb.ServiceContainer,
)
SB_CLASSES: tuple[type[Row], ...] = (
    sb.SBGlobal,
    sb.Chassis,
    sb.ChassisPrivate,
    sb.ChassisWeight,
    sb.PortBinding,
    sb.ContainerBinding,
    sb.AvoidedChassis,
    sb.Placement,
    sb.RedirectFlow,
    sb.IPsecTunnel,
)

SOURCES = tuple(
    Node(f"{prefix}.{row_class.TABLE}")
    for prefix, classes in (
        ("nb", NB_CLASSES),
        ("sb", SB_CLASSES),
        ("ovn", ovn.ROW_CLASSES),
        ("ovn_sb", ovn_sb.ROW_CLASSES),
    )
    for row_class in classes
)

NODES = (
    *SOURCES,
    Node("alive"),
    Node("clock"),
    Node("patience"),
    Node("known_ports"),
    Node("refused"),
    Node("options"),
    Node("chassis", ("sb.Chassis", "nb.Chassis", "alive"), en_chassis.run),
    Node(
        "router",
        (
            "ovn.Logical_Router",
            "ovn.Logical_Router_Port",
            "ovn.Logical_Router_Static_Route",
            "ovn.NAT",
        ),
        en_router.run,
    ),
    Node("home", ("nb.Service_Container",), en_vpn.find_homes),
    Node(
        "vpn",
        (
            "nb.VPN_Service",
            "nb.IPsec_Connection",
            "nb.IKE_Policy",
            "nb.IPsec_Policy",
            "router",
            "home",
        ),
        en_vpn.run,
    ),
    Node(
        "held",
        ("vpn", "ovn.Logical_Router_Policy", "ovn.Logical_Router"),
        en_redirect.find_held,
    ),
    Node(
        "port_group",
        ("nb.Port_Group", "known_ports", "ovn_sb.Port_Binding", "ovn_sb.Chassis"),
        en_port_group.run,
    ),
    Node(
        "group",
        ("nb.Container_Group", "nb.Chassis_Group", "nb.Port_Group", "port_group"),
        en_group.run,
    ),
    Node("container", ("vpn", "nb.Service_Container", "group"), en_container.run),
    Node("transit", ("container", "router", "ovn.Logical_Router_Port"), en_transit.run),
    Node(
        "health",
        (
            "container",
            "chassis",
            "alive",
            "sb.Container_Binding",
            "sb.Port_Binding",
            "sb.Avoided_Chassis",
            "nb.Service_Container",
            "options",
            "patience",
            "clock",
        ),
        en_health.run,
    ),
    Node("binding", ("container", "chassis", "health", "options", "clock"), en_binding.run),
    Node(
        "ready",
        ("binding", "sb.Container_Binding", "sb.Port_Binding", "ovn.Logical_Router_Policy"),
        en_binding.find_ready,
    ),
    Node("redirect", ("vpn", "router", "container", "transit", "ready", "held"), en_redirect.run),
    Node(
        "southbound",
        ("container", "transit", "binding", "health", "chassis", "sb.Chassis", "options"),
        en_southbound.run,
    ),
    Node("redirect_rows", ("redirect",), en_southbound.make_redirects),
    Node("ovn", ("container", "transit", "binding", "redirect", "vpn", "router"), en_ovn.run),
    Node(
        "container_status",
        (
            "container",
            "transit",
            "binding",
            "refused",
            "sb.Container_Binding",
            "sb.Placement",
            "nb.Service_Container",
        ),
        en_status.run_containers,
    ),
    Node(
        "vpn_status",
        (
            "vpn",
            "nb.VPN_Service",
            "nb.IPsec_Connection",
            "sb.IPsec_Tunnel",
            "binding",
            "container_status",
        ),
        en_status.run_services,
    ),
)

# What each database gets of what is computed.
OUTPUTS: Mapping[str, frozenset[str]] = {
    "sb": frozenset({"southbound", "redirect_rows", "options"}),
    "ovn": frozenset({"ovn"}),
    "nb": frozenset({"container_status", "vpn_status"}),
}
