"""Runs the commands of one command line as one transaction.

Each command works on one replica; then all changes are committed together, and
with --wait the northbound is watched until the change has arrived.  Where
somebody else was faster everything runs again on what is there now.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..lib.errors import UsageError
from ..lib.sequence import MOST
from ..services.api.commands import BY_NAME, BY_NEED, TYPE_TABLES
from . import log
from .answer import Touched, find_errors, wait
from .command_table import CommandTable
from .context import Attempt, Context, connect
from .db.records import ROOT, get_root
from .db.replica import Replica, TryAgain
from .db.rpc import Client, Unserved
from .db.values import NewUuid
from .options import GlobalOptions
from .results import check_results, find_uuids, take_uuids
from .telling import format_words

_MOST_TRIES = 1000
# Of commands that have something to tell where the northbound does not answer.
_PATIENCE_S = 5.0

# Either may be "error".
_STATUS_COLUMNS = ("status", "status_code")


class Unsatisfied(Exception):
    """A command has to wait for a change of 'table'."""

    def __init__(self, table: str) -> None:
        super().__init__(table)
        self.table = table


def run(
    settings: GlobalOptions, table: CommandTable, contexts: Sequence[Context], database: str
) -> str:
    """Runs 'contexts' and returns the text about the time waited, if that was asked for.

    Raises UsageError, nothing having been written.  Lines of a context that are
    the UUID of a new row are then the one that the server chose.
    """
    if not all(context.command.otherwise for context in contexts):
        return _run(settings, table, contexts, database, None)
    try:
        return _run(settings, table, contexts, database, _PATIENCE_S)
    except Unserved as error:
        for context in contexts:
            context.begin(Attempt(None, settings))
            table.load_otherwise(context.command, context.type_name)(context, str(error))
        return ""


def _run(
    settings: GlobalOptions,
    table: CommandTable,
    contexts: Sequence[Context],
    database: str,
    patience_s: float | None,
) -> str:
    client = connect(settings, settings.db, database, patience_s)
    # One that answers at all may take long for much.
    client.wait_longer()
    log.debug(f"connected to {client.remote}")
    try:
        start_ms = int(time.time() * 1000)
        next_cfg, touched = _run_until_done(client, settings, table, contexts)
        wait_time = ""
        if next_cfg is not None:
            wait_time = wait(client, settings, next_cfg, start_ms)
            contexts[-1].warnings += find_errors(client, touched)
        for context in contexts:
            if context.follow_up is not None and not settings.has("dry-run"):
                context.follow_up(client)
        return wait_time
    finally:
        client.close()


def _run_until_done(
    client: Client, settings: GlobalOptions, table: CommandTable, contexts: Sequence[Context]
) -> tuple[int | None, list[Touched]]:
    """Returns the number to wait for, if any, and the rows that were written."""
    replica = Replica(client, settings.places)
    tables = _find_tables(replica, settings, contexts)
    functions = [_load(table, context) for context in contexts]
    watched: set[str] = set()
    for _ in range(_MOST_TRIES):
        try:
            replica.load(tables)
            settings.stage = "running the commands"
            attempt = Attempt(replica, settings)
            run_once(attempt, contexts, functions)
            return _commit(attempt, contexts)
        except Unsatisfied as unsatisfied:
            # The first time the table is read again, since it may have changed
            # before it was watched.
            settings.stage = f"waiting for a change of table {unsatisfied.table}"
            if unsatisfied.table in watched:
                client.wait_for_change()
            else:
                client.monitor(unsatisfied.table)
                watched.add(unsatisfied.table)
        except TryAgain:
            log.debug("somebody else changed the same rows, trying again")
    raise UsageError("the database changes faster than this command can follow")


def _find_tables(
    replica: Replica, settings: GlobalOptions, contexts: Sequence[Context]
) -> list[str]:
    """Returns the tables that are read whole before the commands run."""
    tables: dict[str, None] = {}
    known = replica.schema
    contexts[0].is_alone = len(contexts) == 1
    for context in contexts:
        for word in context.command.tables.split():
            wanted = word.removesuffix(BY_NAME).removesuffix(BY_NEED)
            if wanted == TYPE_TABLES:
                names = [each for each in context.types.list_tables() if each in known.tables]
            else:
                meant = known.get_table(context.arguments[0]) if wanted == "*" else None
                names = [(meant or known.tables[wanted]).name]
            if _is_whole(word, len(context.arguments)) and not context.reads_columns_only:
                tables.update(dict.fromkeys(names))
    if settings.wait != "none":
        tables[known.tables[ROOT].name] = None
    return list(tables)


def _is_whole(word: str, arguments: int) -> bool:
    """Returns whether a table of a command is read whole before it runs."""
    if word == "*":
        return arguments == 1
    return not arguments if word.endswith(BY_NAME) else not word.endswith(BY_NEED)


def _load(table: CommandTable, context: Context) -> Callable[[Context], None]:
    """Returns the function of a command; what one of a service type raises ends that command."""
    if not context.type_name:
        return table.load(context.command, "")
    from .type_run import load_type_command

    return load_type_command(table, context)


def run_once(
    attempt: Attempt, contexts: Sequence[Context], functions: Sequence[Callable[[Context], None]]
) -> None:
    """Runs commands in order on what 'attempt' has read; commits nothing."""
    for context, function in zip(contexts, functions, strict=True):
        context.begin(attempt)
        function(context)
    attempt.names.check()


def _commit(attempt: Attempt, contexts: Sequence[Context]) -> tuple[int | None, list[Touched]]:
    """Commits what the commands did; returns the number to wait for, if any, and the rows."""
    replica, settings = attempt.replica, attempt.settings
    forced = any(context.forces_wait for context in contexts)
    waits = forced or (settings.wait != "none" and bool(replica.operations()))
    increment = _make_increment(replica) if waits else []
    changes = [*replica.operations(), *increment]
    if not changes:
        return None, []
    assert any(context.command.changes for context in contexts)
    words = f"{settings.program} " + " -- ".join(format_words(context) for context in contexts)
    operations = [*replica.prerequisites(), *changes, *_make_comments(words, contexts)]
    questions = [row for row in replica.changed() if row.question()]
    first_answer = len(operations)
    operations += [operation for row in questions for operation in row.question()]
    if settings.has("dry-run"):
        operations.append({"op": "abort"})
    results = replica.client.transact(operations)
    check_results(operations, results, contexts)
    if settings.has("dry-run"):
        return None, []
    uuids = find_uuids(operations, results)
    take_uuids(contexts, uuids)
    for row, result in zip(questions, results[first_answer:], strict=False):
        row.take_answer(result["rows"][0])
    _warn_of_lost_rows(attempt, contexts[-1])
    log.tell_syslog(settings, f"Called as {words}")
    if not waits:
        return None, []
    [selected] = results[first_answer - 2]["rows"]
    return int(selected["nb_cfg"]), _find_touched(replica, uuids)


def _make_increment(replica: Replica) -> list[dict[str, Any]]:
    """Returns the operations that ask svc-northd and all chassis for an answer."""
    root = get_root(replica)
    where: list[Any] = [] if root.is_new else [["_uuid", "==", ["uuid", root.uuid]]]
    mutation: list[dict[str, Any]] = []
    if root.is_new:
        root.set_atom("nb_cfg", 1)
    elif root.find("nb_cfg") >= MOST:
        # The server cannot count past the end.
        root.increment("nb_cfg")
    else:
        mutation = [
            {"op": "mutate", "table": ROOT, "where": where, "mutations": [["nb_cfg", "+=", 1]]}
        ]
    return [*mutation, {"op": "select", "table": ROOT, "where": where, "columns": ["nb_cfg"]}]


def _make_comments(words: str, contexts: Sequence[Context]) -> list[dict[str, Any]]:
    comments = [words]
    comments += [" ".join(c.arguments) for c in contexts if c.command.name == "comment"]
    return [{"op": "comment", "comment": "\n".join(comments)}]


def _find_touched(replica: Replica, uuids: Mapping[str, str]) -> list[Touched]:
    """Returns the rows with a status that the transaction has added or changed."""
    return [
        (
            row.table.name,
            uuids[row.uuid.label] if isinstance(row.uuid, NewUuid) else row.uuid,
            column,
        )
        for row in replica.changed()
        for column in _STATUS_COLUMNS
        if "status_message" in row.table.columns and column in row.table.columns
    ]


def _warn_of_lost_rows(attempt: Attempt, context: Context) -> None:
    for row in attempt.replica.inserted():
        name = attempt.names.find_name(row.uuid)
        if name is not None and not row.table.is_root and not attempt.names.is_held(name):
            context.warnings.append(
                f'row id "{name}" was created but no reference to it was inserted, '
                "so it will not actually appear in the database"
            )
