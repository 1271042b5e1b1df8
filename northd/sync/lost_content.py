"""When svc-northd writes nothing, since what it reads looks as if content was lost.

An empty database is the operator's word that nothing is wanted only if the
operator said so.  A northbound without its root row beside containers that run
is a lost file, not an order to end them; a southbound without its root row, or
without bindings that it had, is one that chassis have yet to register in again.
Where it listens for them, and by which role, is lost with it, so for the first
one there is any time: nobody could be given anything before.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...lib import nb, sb
from ...lib.idl import Session
from ..ovn import rows as ovn
from .forgotten import ACCEPT, Forgotten

# Once one chassis has found the new southbound the others do so as soon; each of them waits longer
# than this for what it has to be bound again (controller/lost_content.py).
MOST_PATIENCE_MS = 10_000


class LostContent:
    """Looks at the three databases; remembers since when chassis register in a new southbound."""

    def __init__(self, sessions: Mapping[str, Session], forgotten: Forgotten) -> None:
        self._nb, self._sb, self._ovn = (sessions[name] for name in ("nb", "sb", "ovn"))
        self._forgotten = forgotten
        self._registering_ms: int | None = None
        self._accepted = False

    def accept(self) -> None:
        """Takes it that no chassis will register in a new southbound that has not."""
        self._accepted = True

    def find_reason(self, now_ms: int, patience_ms: int) -> str | None:
        """Returns why nothing must be written at 'now_ms' (monotonic), None if it may.

        For chassis to register in a new southbound there are 'patience_ms', and 10 s at most,
        from when the first one has.
        """
        if not self._nb.rows(nb.SVCGlobal) and self._has_work():
            return (
                "SVC_Northbound has no SVC_Global row though containers run;"
                " restore it, or run 'svcctl init' if nothing is wanted any more, and, once"
                " 'svcctl status' says so, what it says"
            )
        if not self._is_new():
            self._registering_ms, self._accepted = None, False
            return None
        registered = {row.name for row in self._sb.rows(sb.Chassis).values()}
        missing = sorted(self._find_places() - registered)
        if self._accepted or not missing:
            return None
        if not registered:
            self._registering_ms = None
            return (
                "SVC_Southbound is new and no chassis has registered yet: it must listen where they"
                " reach it, by their role, as 'svc-sbctl get-connection' says; if none will, run"
                f" '{ACCEPT}' on svc-northd"
            )
        if self._registering_ms is None:
            self._registering_ms = now_ms
        if now_ms - self._registering_ms > min(patience_ms, MOST_PATIENCE_MS):
            return None
        return f"SVC_Southbound is new and chassis {', '.join(missing)} yet to register"

    def _is_new(self) -> bool:
        """Returns whether a svc-northd has yet to write what is wanted into the southbound.

        Its last word there is the root row, with options.  Who says where the southbound listens
        makes one without (svc-sbctl set-connection).
        """
        written = any(row.options for row in self._sb.rows(sb.SBGlobal).values())
        return not (written and self._forgotten.is_known("sb"))

    def _has_work(self) -> bool:
        # Switches of others are there as well, if they have load balancers.
        switches = self._ovn.rows(ovn.LogicalSwitch).values()
        marked = any(ovn.find_key(row.external_ids) is not None for row in switches)
        return marked or bool(self._sb.rows(sb.ContainerBinding))

    def _find_places(self) -> set[str]:
        """Returns the chassis on which the northbound says that containers run."""
        rows = self._nb.rows(nb.ServiceContainer).values()
        return {row.chassis for row in rows if row.chassis}
