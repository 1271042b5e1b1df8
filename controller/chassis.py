"""What this chassis tells of itself: its rows in Chassis and Chassis_Private, and their end."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

import ovs.poller
import ovs.vlog

from ..lib import sb
from ..lib.call import Call
from ..lib.delta import Actual, plan
from ..lib.idl import BESIDE, Session
from ..lib.loop import now_ms
from ..services.api.host import HostHalf
from .bridge_watch import BridgeWatch
from .claim import RIVAL, WATCHED, Claim
from .gate import Gate
from .heartbeat import Heartbeat, find_interval_ms
from .identity import Identity
from .private_row import PrivateRow, make_removal
from .programs.told import LONGEST_TEXT, clean
from .registration import Registration

vlog = ovs.vlog.Vlog("chassis")

_AGAIN_MS = 1000


class Condition(Protocol):
    """Tells how the host is (linux/events.py)."""

    def find_ovn_problem(self, now_ms: int, look: bool, known: str, expected: bool) -> str:
        """Returns Chassis_Private:ovn_problem; see linux/data_path.py."""

    def find_load(self, now_ms: int) -> Mapping[str, str]:
        """Returns Chassis_Private:load."""

    def find_full_disks(self, now_ms: int) -> tuple[str, ...]:
        """Returns sentences on file systems; see lib/disks.py."""


class ChassisRows:
    """The rows of this chassis in the southbound of the moment; 'left' once they are removed."""

    def __init__(
        self, types: Mapping[str, HostHalf], public_key: str, condition: Condition
    ) -> None:
        self.heartbeat = Heartbeat()
        self.left = False
        # What others found to be wrong on this host.
        self.warnings: tuple[str, ...] = ()
        self._registration = Registration(types, public_key)
        self._condition = condition
        self._bridge = BridgeWatch()
        self._identity: Identity | None = None
        self._row: PrivateRow | None = None
        self._gate = Gate()
        self._leaving: Call | None = None
        self._leave_at_ms = 0

    def set_identity(
        self, identity: Identity, other_chassis: bool, lives: Collection[str] = ()
    ) -> None:
        """Notes who this chassis is; 'other_chassis': the rows are other ones.

        'lives' are the incarnations of this host under that name in this boot.
        """
        self._identity = identity
        if other_chassis:
            claim = Claim(self.heartbeat.incarnation, lives)
            self._row = PrivateRow(identity.chassis, claim)
            self.heartbeat.nb_cfg = None

    def follow(self, session: Session, options: Mapping[str, str], clock_ms: int) -> None:
        """Takes answers, sees to the name, learns what an earlier svc-controller left."""
        if self._row is None:
            return
        self._row.run(session, find_interval_ms(options), clock_ms)
        found = self._row.found
        if self.heartbeat.nb_cfg is None and self._row.held and found is not None:
            self.heartbeat.nb_cfg = found.nb_cfg
            self.heartbeat.nb_cfg_ms = found.nb_cfg_timestamp

    @property
    def has_name(self) -> bool:
        """Whether this svc-controller is the one that may write under the name of the chassis."""
        return self._row is not None and self._row.held

    @property
    def rival(self) -> str:
        """Who else has the name of this chassis, in words; "" as far as is known."""
        claim = self._row.claim if self._row is not None else None
        if claim is None or not claim.watching:
            return ""
        return RIVAL if claim.rival else WATCHED

    def find_refusal(self, session: Session) -> str:
        """Returns why the southbound does not take the rows, in its words; "" if it does."""
        refusal = self._row.refusal if self._row is not None else ""
        return refusal or session.refusals.words.get(BESIDE, "")

    def take_outdated(self) -> bool:
        """Returns whether the row in Chassis_Private was found to be an older one; once."""
        if self._row is None or not self._row.outdated:
            return False
        self._row.outdated = False
        return True

    @property
    def refusals(self) -> Mapping[str, str]:
        """Why service types cannot run here, by type."""
        return self._registration.refusals

    @property
    def pending_types(self) -> set[str]:
        """The service types of which it is not known yet whether they can run here."""
        return self._registration.pending

    @property
    def acknowledged(self) -> int | None:
        """The number of the heartbeat that the southbound is known to have, None for none."""
        return self._row.told.get("heartbeat") if self._row is not None else None

    @property
    def stopping_told(self) -> bool:
        """Whether the southbound is known to have it that this chassis stops."""
        return self._row is not None and bool(self._row.told.get("stopping"))

    def beat(self, options: Mapping[str, str], clock_ms: int) -> bool:
        """Beats and looks how the host is, when it is time to; returns whether it beat."""
        assert self._identity is not None
        beats = self.heartbeat
        self._registration.run(clock_ms)
        beaten = beats.run(clock_ms, now_ms(), find_interval_ms(options))
        if beaten:
            beats.load = self._condition.find_load(clock_ms)
            full = self._condition.find_full_disks(clock_ms)
            beats.warnings = (*full, *self.warnings, *self._registration.left_out)
        known, identity = self._find_problem(), self._identity
        problems = (
            self._bridge.find_problem(identity.bridge, identity.has_bridge, known, clock_ms),
            self._condition.find_ovn_problem(clock_ms, beaten, known, identity.has_ovn),
        )
        beats.ovn_problem = clean("; ".join(filter(None, problems)), LONGEST_TEXT)
        return beaten

    def write(self, session: Session, clock_ms: int) -> None:
        """Writes what the southbound does not know yet of the chassis."""
        assert self._identity is not None
        assert self._row is not None
        if not session.connected:
            return
        self._row.write(session, self.heartbeat.make_columns(), clock_ms)
        if session.committing_beside:
            return
        rows = list(session.rows(sb.Chassis).values())
        found = next((row for row in rows if row.name == self._identity.chassis), None)
        wanted = self._registration.make_row(self._identity, found)
        changes = plan([wanted], [Actual(row.name, row) for row in rows])
        if self._gate.admit(changes, clock_ms):
            session.commit_beside(changes, f"svc-controller: chassis {self._identity.chassis}")

    def acknowledge(self, nb_cfg: int) -> None:
        """Notes that the chassis has reached 'nb_cfg', to be written."""
        if nb_cfg != self.heartbeat.nb_cfg:
            self.heartbeat.nb_cfg, self.heartbeat.nb_cfg_ms = nb_cfg, now_ms()

    def remove(self, session: Session, clock_ms: int) -> None:
        """Removes all rows of this chassis; 'left' tells when they are gone."""
        assert self._row is not None
        if self._leaving is not None and self._leaving.done:
            answer, self._leaving = self._leaving, None
            self.left = answer.results is not None
            if answer.unguarded:
                # Somebody else removed the row, or took it.
                self._row.lose(session, clock_ms)
                return
        if self.left:
            vlog.info("left: nothing of this chassis is in the southbound")
        elif self._leaving is None and clock_ms >= self._leave_at_ms:
            self._leave_at_ms = clock_ms + _AGAIN_MS
            self._leaving = session.call(make_removal(self._row.chassis))

    def wait(self, poller: ovs.poller.Poller, clock_ms: int) -> None:
        """Arms 'poller' for the name, which is waited for before anything else."""
        if self._row is not None:
            self._row.wait(poller, clock_ms)

    def wait_beat(self, poller: ovs.poller.Poller, clock_ms: int) -> None:
        """Arms 'poller' for the next heartbeat."""
        next_ms = min(self.heartbeat.find_next_ms(), self._registration.find_next_ms())
        poller.timer_wait(max(0, next_ms - clock_ms))

    def _find_problem(self) -> str:
        """Returns the ovn_problem that was told last, in this life or the one before."""
        assert self._row is not None
        found = self._row.found.ovn_problem if self._row.found is not None else ""
        return str(self._row.told.get("ovn_problem", found))
