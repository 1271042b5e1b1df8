"""Who this chassis is, from the local Open_vSwitch row. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..lib.errors import HostError
from ..lib.idl import find_remote_problem
from .linux.ovs import Bridge, OpenvSwitch, find_bridge

DEFAULT_BRIDGE = "br-int"
USERSPACE_DATAPATH = "netdev"


@dataclass(frozen=True, slots=True)
class Identity:
    """What an operator wrote into Open_vSwitch:external_ids.

    'offload' is whether the bridge's datapath completes the checksums that a
    veth leaves out: the one in the kernel does.
    """

    chassis: str
    remote: str
    bridge: str
    bridge_mappings: tuple[str, ...]
    offload: bool


def find_identity(rows: Iterable[OpenvSwitch], bridges: Iterable[Bridge]) -> Identity:
    """Returns the identity; raises HostError naming the key that is missing or wrong."""
    ids = next((row.external_ids for row in rows), {})
    for key in ("system-id", "svc-remote"):
        if not ids.get(key):
            raise HostError(f"external_ids:{key} of the local Open_vSwitch is not set")
    problem = find_remote_problem(ids["svc-remote"])
    if problem is not None:
        raise HostError(f"external_ids:svc-remote of the local Open_vSwitch: {problem}")
    bridge = ids.get("svc-bridge", DEFAULT_BRIDGE)
    row = find_bridge(bridges, bridge)
    mappings = ids.get("ovn-bridge-mappings", "").split(",")
    return Identity(
        chassis=ids["system-id"],
        remote=ids["svc-remote"],
        bridge=bridge,
        bridge_mappings=tuple(sorted(each.strip() for each in mappings if each.strip())),
        offload=row is None or row.datapath_type != USERSPACE_DATAPATH,
    )
