"""The Chassis row of this host: what it is and what it can run."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

import ovs.vlog

from ..lib import sb
from ..lib.delta import Desired
from ..lib.failures import describe
from ..services.api.host import HostHalf, Probe
from .identity import Identity
from .programs.told import LONGEST_NAME, LONGEST_TEXT, clean

vlog = ovs.vlog.Vlog("registration")

PROBE_INTERVAL_MS = 60_000
PROBE_AGAIN_MS = 5_000


@dataclass(slots=True)
class Registration:
    """What this process tells about its chassis."""

    types: Mapping[str, HostHalf]
    public_key: str
    probes: dict[str, Probe] = field(default_factory=dict)
    _probe_at_ms: int = 0

    def run(self, now_ms: int) -> bool:
        """Probes when it is time to; returns whether it did."""
        if now_ms < self._probe_at_ms:
            return False
        self.probe()
        well = all(each.problem is None for each in self.probes.values())
        self._probe_at_ms = now_ms + (PROBE_INTERVAL_MS if well else PROBE_AGAIN_MS)
        return True

    def find_next_ms(self) -> int:
        """Returns when run() has something to do again."""
        return self._probe_at_ms

    def probe(self) -> None:
        """Asks each service type whether this host can run it."""
        for name, service_type in self.types.items():
            probe = _probe(service_type)
            before = self.probes.get(name)
            if before is None or before.problem != probe.problem:
                vlog.info(f"service type {name}: {probe.problem or 'can run here'}")
            self.probes[name] = probe

    def make_row(self, identity: Identity) -> Desired:
        """Returns the row."""
        problems = {key: each.problem for key, each in self.probes.items() if each.problem}
        facts = {key: value for each in self.probes.values() for key, value in each.facts.items()}
        columns = {
            "name": identity.chassis,
            "hostname": socket.gethostname(),
            "service_types": tuple(sorted(self.probes.keys() - problems.keys())),
            "service_problems": problems,
            "bridge_mappings": identity.bridge_mappings,
            "public_key": self.public_key,
            "other_config": {**dict(identity.labels), **facts},
        }
        return Desired(sb.Chassis.TABLE, identity.chassis, columns)


def _probe(service_type: HostHalf) -> Probe:
    """Returns what a type says, or why that cannot be taken: it is somebody else's plug-in."""
    try:
        found = service_type.probe()
        problem = None if found.problem is None else clean(found.problem, LONGEST_TEXT)
        facts = {clean(key, LONGEST_NAME): found.facts[key] for key in found.facts}
        return Probe(problem, {key: clean(text, LONGEST_TEXT) for key, text in facts.items()})
    except Exception as error:  # it must not end the heartbeat
        return Probe(clean(f"it cannot be probed: {describe(error)}", LONGEST_TEXT))
