"""When svc-northd writes nothing, since what it reads looks as if content was lost.

An empty database is the operator's word that nothing is wanted only if the
operator said so.  A northbound without its root row beside containers that run
is a lost file, not an order to end them; a southbound without its root row, or
without bindings that it had, is one that chassis have yet to register in again.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...lib import nb, sb
from ...lib.idl import Session
from ..ovn import rows as ovn
from .forgotten import Forgotten


class LostContent:
    """Looks at the three databases; remembers since when the southbound is new."""

    def __init__(self, sessions: Mapping[str, Session], forgotten: Forgotten) -> None:
        self._nb, self._sb, self._ovn = (sessions[name] for name in ("nb", "sb", "ovn"))
        self._forgotten = forgotten
        self._new_since_ms: int | None = None

    def find_reason(self, now_ms: int, patience_ms: int) -> str | None:
        """Returns why nothing must be written at 'now_ms' (monotonic), None if it may.

        For chassis to register in a new southbound there are 'patience_ms'.
        """
        if not self._nb.rows(nb.SVCGlobal) and self._has_work():
            return (
                "SVC_Northbound has no SVC_Global row though containers run;"
                " restore it, or run 'svcctl init' if nothing is wanted any more, and, once"
                " 'svcctl status' says so, what it says"
            )
        if self._sb.rows(sb.SBGlobal) and self._forgotten.is_known("sb"):
            self._new_since_ms = None
            return None
        if self._new_since_ms is None:
            self._new_since_ms = now_ms
        registered = {row.name for row in self._sb.rows(sb.Chassis).values()}
        missing = sorted(self._find_places() - registered)
        if not missing or now_ms - self._new_since_ms > patience_ms:
            return None
        return f"SVC_Southbound is new and chassis {', '.join(missing)} yet to register"

    def _has_work(self) -> bool:
        # Switches of others are there as well, if they have load balancers.
        switches = self._ovn.rows(ovn.LogicalSwitch).values()
        marked = any(ovn.find_key(row.external_ids) is not None for row in switches)
        return marked or bool(self._sb.rows(sb.ContainerBinding))

    def _find_places(self) -> set[str]:
        """Returns the chassis on which the northbound says that containers run."""
        rows = self._nb.rows(nb.ServiceContainer).values()
        return {row.chassis for row in rows if row.chassis}
