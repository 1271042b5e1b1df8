"""What the engine computed, as rows to write: a ledger and a writer for each database.

A chassis has the most to do for a change, and nobody's traffic waits for the
way north, so that it comes last; but before there is a root row in the
northbound nothing else is written, since without one it looks lost
(sync/lost_content.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

import ovs.vlog

from ..lib import loop, nb, sb, schema
from ..lib.delta import Change, Desired
from ..lib.idl import Session
from ..lib.sequence import find_first
from ..services.api.compile import RowStatus
from ..services.api.node import Datum
from . import graph
from .engine.engine import Engine
from .engine.ledger import Ledger, Owned
from .engine.writer import Writer
from .failover import Failover
from .nodes.en_hv_cfg import HV_CFG
from .nodes.en_placement import PLACEMENT
from .nodes.tables import ONLY, OPTIONS, PLACEMENTS_BY_CONTAINER, REFUSED
from .nodes.tables import PLACEMENT as PLACEMENT_ROW
from .options import Options
from .ovn.progress import Progress
from .ovn.rows import EMPTY
from .scheduler.reasons import FIRST_PLACE
from .sync import northbound, ovn, southbound
from .sync.content import Content
from .sync.event_ledger import EventLedger
from .sync.events import News
from .sync.incidents import make_mended
from .sync.roles import make_roles

vlog = ovs.vlog.Vlog("writers")


class Writers:
    """The three databases as they should be; 'statuses' are those of service types' rows."""

    def __init__(
        self,
        engine: Engine,
        sessions: Mapping[str, Session],
        statuses: Sequence[Datum[Any, tuple[RowStatus, ...]]],
        progress: Progress,
        failover: Failover,
    ) -> None:
        self._engine = engine
        self._sessions = sessions
        self._statuses = statuses
        self._progress = progress
        self._failover = failover
        self._refused: dict[Any, str] = {}
        self._others_settled = False
        self._news = EventLedger(self._find_place_cause, loop.now_ms)
        self.ledgers: dict[str, Ledger] = {
            "sb": southbound.SouthboundLedger(self._find_cause, loop.now_ms, self._news.add_news),
            "ovn": Ledger(ovn.find_mark, EMPTY),
            "nb": self._news,
        }
        roles = Owned(make_roles(schema.load(schema.SOUTHBOUND)))
        self.ledgers["sb"].set_owned(southbound.ROLES_OWNER, roles)
        find_own = partial(northbound.find_own_columns, self.ledgers["nb"])
        self.content = Content(find_own, lambda table, uuid: sessions["nb"].tables[table].get(uuid))
        conclude = {"sb": self._conclude_sb, "ovn": self._conclude_ovn, "nb": self._conclude_nb}
        ranks = {"sb": southbound.rank, "ovn": ovn.rank, "nb": northbound.rank}
        self.writers = {
            name: Writer(
                sessions[name],
                self.ledgers[name],
                ranks[name],
                conclude[name],
                partial(self._tell_mended, sessions[name].database),
            )
            for name in ("sb", "ovn", "nb")
        }

    @property
    def settled(self) -> bool:
        """Whether every row is as it should be."""
        return all(writer.settled for writer in self.writers.values())

    @property
    def refused(self) -> Mapping[Any, str]:
        """A sentence on each owner whose rows a database refuses, by database and owner."""
        return self._refused

    def note_changes(self, changed: Mapping[Datum[Any, Any], set[Any]]) -> None:
        """Takes the keys whose value changed, of all that is watched."""
        for prefix, outputs in graph.OUTPUTS.items():
            for datum, kind in outputs.items():
                for key in changed.get(datum, ()):
                    self._set(prefix, (kind, key), datum, key)
        for statuses in self._statuses:
            for key in changed.get(statuses, ()):
                self._set_statuses(statuses, key)
        if HV_CFG in changed:
            self.writers["nb"].reconsider()
        if OPTIONS in changed:
            self.writers["sb"].reconsider()

    def ask_ovn(self) -> None:
        """Makes OVN's nb_cfg be looked at, once all that it is to count is written."""
        self.writers["ovn"].reconsider()

    def tell_held(self) -> None:
        """Makes the root row of the northbound be looked at: another number is held."""
        self.writers["nb"].reconsider()

    def note_tables(self, changed: set[str]) -> None:
        """Takes the tables that changed; the root rows follow each other."""
        for table, writers in _ROOTS.items():
            if table in changed:
                for name in writers:
                    self.writers[name].reconsider()

    def recover(self) -> None:
        """Makes every row be compared again."""
        for writer in self.writers.values():
            writer.recover()

    def resume(self) -> None:
        """Begins to write what compare() found to differ, and looks at the root rows."""
        self._news.begin()
        for writer in self.writers.values():
            writer.resume()

    def add_news(self, owner: Any, news: News) -> None:
        """Has something told of an owner of the northbound that no column of it says."""
        self._news.add_news(owner, news)

    def find_next_ms(self) -> int | None:
        """Returns when something refused is to be tried again (monotonic)."""
        moments = (self.writers[name].find_next_ms() for name in self._find_running())
        return min((each for each in moments if each is not None), default=None)

    def run(self, now_ms: int) -> None:
        """Starts what transactions are needed."""
        self._news.run(now_ms)
        running = self._find_running()
        for name, writer in self.writers.items():
            if name == "nb":
                self._follow_others()
                self._follow_content()
            if name in running:
                writer.run(now_ms)
            self._take_refusals(name, writer)

    def run_roles(self, now_ms: int) -> None:
        """Writes what chassis may write and nothing else: without that none could register."""
        self.writers["sb"].run(now_ms, only=southbound.ROLES_OWNER)
        self._take_refusals("sb", self.writers["sb"])

    def _find_running(self) -> Collection[str]:
        """Returns the databases that are written: one alone before there is a root row in it."""
        return self.writers if self._sessions["nb"].rows(nb.SVCGlobal) else ("nb",)

    def _follow_others(self) -> None:
        """Looks at 'hv_cfg' again when the two other databases came to hold everything, or not."""
        settled = self._are_others_settled()
        if settled != self._others_settled:
            self._others_settled = settled
            self.writers["nb"].reconsider()

    def _follow_content(self) -> None:
        """Has the changes of operators counted on the root row."""
        for row in self._sessions["nb"].rows(nb.SVCGlobal).values():
            owner, owned = (row.TABLE, row.uuid), self.content.make_owned(row)
            if owned != self.ledgers["nb"].find_owned(owner):
                self.ledgers["nb"].set_owned(owner, owned)

    def compare(self) -> None:
        """Finds out what is as it should be, as one that stands by."""
        for writer in self.writers.values():
            writer.compare()

    # -- what should be ------------------------------------------------------

    def _set(self, prefix: str, owner: Any, datum: Datum[Any, Owned], key: Any) -> None:
        if self._engine.find_problem(datum, key) is not None:
            self.ledgers[prefix].freeze(owner)
        else:
            self.ledgers[prefix].set_owned(owner, self._engine.get(datum, key))

    def _set_statuses(self, datum: Datum[Any, tuple[RowStatus, ...]], key: Any) -> None:
        for each in self._engine.get(datum, key) or ():
            table = each.row_class.TABLE
            desired = Desired(table, each.uuid, each.columns)
            owned = Owned(updates=(desired,), name=each.name, passing=each.passing)
            self.ledgers["nb"].set_owned((table, each.uuid), owned)

    def _find_cause(self, container: str) -> str | None:
        placement = self._engine.get(PLACEMENT, container)
        return placement.cause if placement is not None else None

    def _find_place_cause(self, container: str, chassis: str) -> str | None:
        """Returns why a container serves from 'chassis', whether that is written already or not."""
        uuids = self._engine.get(PLACEMENTS_BY_CONTAINER, container) or ()
        rows = [self._engine.get(PLACEMENT_ROW, uuid) for uuid in uuids]
        last = max(
            (row for row in rows if row is not None), key=lambda row: row.number, default=None
        )
        if last is not None and last.chassis == chassis:
            return last.reason
        return self._find_cause(container) or (FIRST_PLACE if last is None else None)

    def _tell_mended(self, database: str, owner: Any, sentence: str) -> None:
        """Has it told that rows of ours were mended."""
        if owner == southbound.ROLES_OWNER:
            vlog.info(f"{database}: {sentence}: somebody changed what chassis may write; mended")
            return
        mended = make_mended(database, owner, sentence)
        if mended is not None:
            self._news.add_news(*mended)

    # -- the root rows -------------------------------------------------------

    def _conclude_ovn(self) -> list[Change]:
        return ovn.plan_nb_cfg(self._sessions["ovn"], self._find_nb_cfg(), self._progress.asks)

    def _conclude_sb(self) -> list[Change]:
        """The southbound's nb_cfg follows once OVN counts it too."""
        reached, ovn_nb_cfg = ovn.read_nb_cfg(self._sessions["ovn"])
        options = self._engine.get(OPTIONS, ONLY) or Options()
        return southbound.plan_global(
            self._sessions["sb"], reached, options, loop.now_ms(), ovn_nb_cfg
        )

    def _conclude_nb(self) -> list[Change]:
        """'hv_cfg' waits until OVN and the southbound hold everything.

        With no chassis alive it is the southbound's own number, as ovn-northd has it.
        """
        compiled = [row.nb_cfg for row in self._sessions["sb"].rows(sb.SBGlobal).values()]
        reached = self._engine.get(HV_CFG, ONLY)
        hv_cfg = find_first([*compiled, *([] if reached is None else [reached])]) or 0
        if not self._are_others_settled():
            rows = self._sessions["nb"].rows(nb.SVCGlobal).values()
            hv_cfg = max((row.hv_cfg for row in rows), default=0)
        return northbound.plan_global(
            self._sessions["nb"],
            self._sessions["sb"],
            hv_cfg,
            self._failover.held_cfg,
            loop.now_ms(),
        )

    def _are_others_settled(self) -> bool:
        return self.writers["sb"].settled and self.writers["ovn"].settled

    def _find_nb_cfg(self) -> int:
        rows = self._sessions["nb"].rows(nb.SVCGlobal).values()
        return max((row.nb_cfg for row in rows), default=0)

    # -- what is refused -----------------------------------------------------

    def _take_refusals(self, name: str, writer: Writer) -> None:
        for owner, sentence in writer.take_refusals().items():
            if sentence is None:
                self._refused.pop((name, owner), None)
            else:
                self._refused[name, owner] = sentence
            if name == "ovn" and isinstance(owner, tuple):
                self._tell_refusal(owner[1])

    def _tell_refusal(self, container: str) -> None:
        """Tells the engine the first sentence on the rows of a container in OVN."""
        sentences = (self._refused.get(("ovn", (kind, container))) for kind in ovn.ORDER)
        self._engine.put(REFUSED, container, next(filter(None, sentences), None))


_ROOTS: Mapping[str, tuple[str, ...]] = {
    "nb.SVC_Global": ("nb", "sb", "ovn"),
    "sb.SB_Global": ("sb", "nb"),
    "ovn.NB_Global": ("ovn", "sb"),
}
