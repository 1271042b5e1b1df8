"""Who this chassis is, from the local Open_vSwitch row. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..lib.errors import HostError
from ..lib.remotes import find_remote_problem
from .linux.switch_rows import Bridge, OpenvSwitch, find_bridge

DEFAULT_BRIDGE = "br-int"
USERSPACE_DATAPATH = "netdev"
_LABEL = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]*)=(\S+)")


@dataclass(frozen=True, slots=True)
class Identity:
    """What an operator wrote into Open_vSwitch:external_ids.

    'offload' is whether the bridge's datapath completes the checksums that a
    veth leaves out: the one in the kernel does.  'has_ovn' is whether this host
    is told to have an ovn-controller, 'has_bridge' whether the bridge is there.
    'labels' are sorted; 'label_problems' are sentences about those that are passed
    over.
    """

    chassis: str
    remote: str
    bridge: str
    bridge_mappings: tuple[str, ...]
    offload: bool
    has_ovn: bool = False
    has_bridge: bool = True
    labels: tuple[tuple[str, str], ...] = ()
    label_problems: tuple[str, ...] = ()


def find_identity(rows: Iterable[OpenvSwitch], bridges: Iterable[Bridge]) -> Identity:
    """Returns the identity; raises HostError naming the key that is missing or wrong."""
    ids = next((row.external_ids for row in rows), {})
    for key in ("system-id", "svc-remote"):
        if not ids.get(key):
            raise HostError(f"external_ids:{key} of the local Open_vSwitch is not set")
    # Where the keys are is known when a connection is made: they may come later.
    problem = find_remote_problem(ids["svc-remote"], has_keys=True)
    if problem is not None:
        raise HostError(f"external_ids:svc-remote of the local Open_vSwitch: {problem}")
    bridge = ids.get("svc-bridge") or DEFAULT_BRIDGE
    row = find_bridge(bridges, bridge)
    mappings = ids.get("ovn-bridge-mappings", "").split(",")
    labels, problems = parse_labels(ids.get("svc-labels", ""))
    return Identity(
        chassis=ids["system-id"],
        remote=ids["svc-remote"],
        bridge=bridge,
        bridge_mappings=tuple(sorted(each.strip() for each in mappings if each.strip())),
        offload=row is None or row.datapath_type != USERSPACE_DATAPATH,
        has_ovn=bool(ids.get("ovn-remote")),
        has_bridge=row is not None,
        labels=tuple(sorted(labels.items())),
        label_problems=tuple(problems),
    )


def parse_labels(text: str) -> tuple[dict[str, str], list[str]]:
    """Returns the labels in "KEY=VALUE,...", and a sentence on each that is none."""
    labels: dict[str, str] = {}
    problems = []
    for each in filter(None, map(str.strip, text.split(","))):
        found = _LABEL.fullmatch(each)
        if found is None:
            problems.append(f"{each!r} is not KEY=VALUE")
        elif found[1] in labels:
            problems.append(f"{each!r} is the second value of {found[1]}")
        else:
            labels[found[1]] = found[2]
    return labels, problems
