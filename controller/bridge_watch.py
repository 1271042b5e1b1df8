"""Whether the integration bridge is there: without it no container has a port.  Pure."""

from __future__ import annotations

from dataclasses import dataclass

# ovn-controller makes it anew where somebody removed it; a host that boots makes it late.
PATIENCE_MS = 2000


@dataclass(slots=True)
class BridgeWatch:
    """Says for Chassis_Private:ovn_problem that the bridge is missing, once it is for a while."""

    _missing_ms: int | None = None

    def find_problem(self, bridge: str, present: bool, known: str, now_ms: int) -> str:
        """Returns the sentence, "" for none; 'known' is what this chassis has told before."""
        if present:
            self._missing_ms = None
            return ""
        sentence = (
            f"there is no bridge {bridge} (external_ids:svc-bridge of the local Open_vSwitch)"
        )
        if self._missing_ms is None:
            self._missing_ms = now_ms - PATIENCE_MS if sentence in known else now_ms
        return sentence if now_ms >= self._missing_ms + PATIENCE_MS else ""
