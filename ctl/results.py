"""The results of a transaction: what was refused, and which UUIDs the server chose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..lib.errors import UsageError
from ..lib.refusal import describe_refusal
from .context import Context
from .db.records import find_duplicate
from .db.replica import TryAgain
from .db.values import NewUuid


def check_results(
    operations: Sequence[dict[str, Any]], results: Sequence[Any], contexts: Sequence[Context] = ()
) -> None:
    """Raises TryAgain or UsageError if the transaction did not go through."""
    for number, result in enumerate(results):
        if not result or "error" not in result:
            continue
        operation = operations[number]["op"] if number < len(operations) else "commit"
        if operation == "abort" and result["error"] == "aborted":
            return
        if operation == "wait" and result["error"] == "timed out":
            raise TryAgain
        reason = describe_refusal(result)
        raise UsageError(_find_taken_name(reason, contexts) or f"transaction error: {reason}")


def find_uuids(operations: Sequence[dict[str, Any]], results: Sequence[Any]) -> dict[str, str]:
    """Returns the UUIDs that the server chose, by the names of the rows in the transaction."""
    return {
        operation["uuid-name"]: result["uuid"][1]
        for operation, result in zip(operations, results, strict=False)
        if operation["op"] == "insert"
    }


def take_uuids(contexts: Sequence[Context], uuids: Mapping[str, str]) -> None:
    """Puts the UUIDs that the server chose into what the commands print."""
    for context in contexts:
        context.lines = [
            uuids.get(line.label, line) if isinstance(line, NewUuid) else line
            for line in context.lines
        ]


def _find_taken_name(reason: str, contexts: Sequence[Context]) -> str | None:
    """Returns in our words that a name is taken, if that is what ovsdb-server complains of."""
    found = find_duplicate(reason)
    words = contexts[0].types.find_words(found[0]) if found and contexts else None
    if found is None or words is None:
        return None
    return f"{found[1]}: {words.one} with this name already exists"
