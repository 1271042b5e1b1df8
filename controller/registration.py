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
from .bounded import LONGEST_HOST, MOST_BRIDGES, MOST_PAIRS, bound_map, bound_names
from .identity import Identity
from .programs.told import LONGEST_NAME, LONGEST_TEXT, clean

vlog = ovs.vlog.Vlog("registration")

PROBE_INTERVAL_MS = 60_000
PROBE_AGAIN_MS = 5_000
PENDING_AGAIN_MS = 100
PENDING = "it is not known yet whether it can run here"


@dataclass(slots=True)
class Registration:
    """What this process tells about its chassis.

    'left_out' are sentences on what of the last row is too much for the southbound.
    """

    types: Mapping[str, HostHalf]
    public_key: str
    left_out: tuple[str, ...] = ()
    probes: dict[str, Probe] = field(default_factory=dict)
    _probe_at_ms: int = 0

    def run(self, now_ms: int) -> bool:
        """Probes when it is time to; returns whether it did."""
        if now_ms < self._probe_at_ms:
            return False
        self.probe()
        self._probe_at_ms = now_ms + self._find_pause_ms()
        return True

    def _find_pause_ms(self) -> int:
        if self.pending:
            return PENDING_AGAIN_MS
        well = all(each.problem is None for each in self.probes.values())
        return PROBE_INTERVAL_MS if well else PROBE_AGAIN_MS

    def find_next_ms(self) -> int:
        """Returns when run() has something to do again."""
        return self._probe_at_ms

    def probe(self) -> None:
        """Asks each service type whether this host can run it."""
        for name, service_type in self.types.items():
            probe = _probe(service_type)
            before = self.probes.get(name)
            if before is None or _find_refusal(before) != _find_refusal(probe):
                vlog.info(f"service type {name}: {_find_refusal(probe) or 'can run here'}")
            self.probes[name] = probe

    @property
    def pending(self) -> set[str]:
        """The types of which it is not known yet whether they can run here."""
        return {name for name, each in self.probes.items() if each.pending}

    @property
    def refusals(self) -> dict[str, str]:
        """Why types cannot run here, by type."""
        found = {name: _find_refusal(each) for name, each in self.probes.items()}
        return {name: each for name, each in found.items() if each}

    def make_row(self, identity: Identity, found: sb.Chassis | None) -> Desired:
        """Returns the row; of a type that is pending it says what stood there, as in 'found'."""
        known = set(found.service_types) if found is not None else set()
        problems = {
            name: each
            for name, each in self.refusals.items()
            if not (name in self.pending and name in known)
        }
        stood = found.other_config if found is not None and self.pending else {}
        facts = {key: value for each in self.probes.values() for key, value in each.facts.items()}
        types, few = bound_names("service types", self.probes.keys() - problems.keys(), MOST_PAIRS)
        reasons, fewer = bound_map("service types that cannot run here", problems)
        bridges, less = bound_names(
            "ovn-bridge-mappings", identity.bridge_mappings, MOST_BRIDGES, LONGEST_HOST
        )
        told = {**stood, **dict(identity.labels), **facts}
        config, least = bound_map("svc-labels and what service types tell of the host", told)
        self.left_out = (*few, *fewer, *less, *least)
        columns = {
            "name": identity.chassis,
            "hostname": clean(socket.gethostname(), LONGEST_HOST),
            "service_types": types,
            "service_problems": reasons,
            "bridge_mappings": bridges,
            "public_key": self.public_key,
            "other_config": config,
        }
        return Desired(sb.Chassis.TABLE, identity.chassis, columns)


def _find_refusal(probe: Probe) -> str | None:
    return probe.problem or (PENDING if probe.pending else None)


def _probe(service_type: HostHalf) -> Probe:
    """Returns what a type says, or why that cannot be taken: it is somebody else's plug-in."""
    try:
        found = service_type.probe()
        problem = None if found.problem is None else clean(found.problem, LONGEST_TEXT)
        facts = {clean(key, LONGEST_NAME): found.facts[key] for key in found.facts}
        facts = {key: clean(text, LONGEST_TEXT) for key, text in facts.items()}
        return Probe(problem, facts, bool(found.pending))
    except Exception as error:  # it must not end the heartbeat
        return Probe(clean(f"it cannot be probed: {describe(error)}", LONGEST_TEXT))
