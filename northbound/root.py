"""Commands on the root row: its options, and the number by which a change is waited for."""

from __future__ import annotations

from typing import Any

from ..lib.errors import UsageError
from ..lib.options import find_problems
from ..lib.sequence import MOST, has_reached
from .command import Told, find_attempt
from .row import Row
from .run import Request, Run

TABLE = "SVC_Global"
_RAISED = "nb_cfg is raised"
_NO_KEY = "ovnsvc-no-such-key"


def get_root(run: Run) -> Row:
    """Returns the root row; a new database gets it with its first change."""
    root = next(iter(run.rows(TABLE).values()), None)
    return root if root is not None else run.insert(TABLE)


def set_options(run: Run) -> Row:
    """Sets options, or takes them out; an option that would not count is refused."""
    root = get_root(run)
    before = find_problems(root.pairs("options"))
    for key, value in run.values.items():
        root.change_key("options", key, None if value is None else str(value))
    for problem in find_problems(root.pairs("options")):
        if problem not in before:
            raise UsageError(problem)
    return root


def fail_over(run: Run) -> Row:
    """Has what was lost when many chassis went silent at once placed anew."""
    root = get_root(run)
    held = root.find("mass_failure_cfg")
    if held is not None and not has_reached(root.find("failover_cfg"), held):
        root.set_atom("failover_cfg", held)
    return root


class NbCfgIncrement(Told):
    """Raises nb_cfg with whatever else its transaction does; the result is the number."""

    def run_idl(self, txn: Any) -> None:
        """Asks for the increment; several of one transaction are one."""
        attempt = find_attempt(self.api, txn)
        root = get_root(Run("sync", attempt, Request()))
        self._number: int | None = None
        if root.is_new:
            self._number = 1
            root.set_atom("nb_cfg", 1)
        elif _RAISED in attempt.shared:
            self._number = attempt.shared[_RAISED]
        elif root.find("nb_cfg") >= MOST:
            attempt.shared[_RAISED] = self._number = root.increment("nb_cfg")
        else:
            attempt.shared[_RAISED] = None
            # The server adds, so that it is no conflict with others who do so; but python-ovs
            # leaves it out of a transaction that changes nothing.
            root.idl_row.increment("nb_cfg")
            root.remove("external_ids", (_NO_KEY,))

    def post_commit(self, txn: Any) -> None:
        """Takes the number."""
        self.result = txn.get_increment_new_value() if self._number is None else self._number
