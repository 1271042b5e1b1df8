"""What finds the rows of OVN_Southbound on the networks outside (services/api/outside.py)."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from ...services.api.node import AnyNode, Index
from ...services.api.outside import (
    CHASSIS_BY_NETWORK,
    JOINTS_BY_ROUTER_PORT,
    LOCALNET,
    LOCALNETS_BY_SWITCH,
    NEIGHBOURS_BY_ADDRESS,
    OUTSIDE_CHASSIS,
    OUTSIDE_PORT,
    PEER,
    REDIRECT,
    REDIRECTS_BY_ROUTER_PORT,
    ROUTER_PORT,
    OutsidePort,
    list_addresses,
    list_networks,
)


def _find_router_port(_uuid: UUID, port: OutsidePort) -> Iterable[str]:
    name = port.options.get(PEER) if port.type != REDIRECT else None
    return () if name is None else (name,)


def _find_bound(_uuid: UUID, port: OutsidePort) -> Iterable[str]:
    name = port.options.get(ROUTER_PORT) if port.type == REDIRECT else None
    return () if name is None else (name,)


NODES: tuple[AnyNode, ...] = (
    Index(NEIGHBOURS_BY_ADDRESS, OUTSIDE_PORT, list_addresses),
    Index(JOINTS_BY_ROUTER_PORT, OUTSIDE_PORT, _find_router_port),
    Index(REDIRECTS_BY_ROUTER_PORT, OUTSIDE_PORT, _find_bound),
    Index(
        LOCALNETS_BY_SWITCH,
        OUTSIDE_PORT,
        lambda _uuid, port: (port.datapath,) if port.type == LOCALNET else (),
    ),
    Index(CHASSIS_BY_NETWORK, OUTSIDE_CHASSIS, list_networks),
)
