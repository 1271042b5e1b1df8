"""What a program gives to a method, as the words that svcctl's command of the name takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .run import Request


class Words:
    """The arguments of a command."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = tuple(make_text(each) for each in arguments)

    def ask(
        self,
        options: Mapping[str, str] | None = None,
        values: Mapping[str, Any] | None = None,
        columns: Mapping[str, Any] | None = None,
    ) -> Request:
        """Returns the request with these arguments."""
        return Request(self.arguments, options or {}, values or {}, columns or {})


def make_text(value: Any) -> str:
    """Returns a value as a word; None is the empty one, which means the default."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def make_list(values: str | Iterable[Any]) -> str:
    """Returns several values as one word."""
    return values if isinstance(values, str) else ",".join(make_text(each) for each in values)


def make_options(given: Mapping[str, Any] | None = None, **flags: bool) -> dict[str, str]:
    """Returns options by the names that svcctl has for them; of 'flags' those that are true."""
    options = {
        key.replace("_", "-"): make_list(value)
        if isinstance(value, (list, tuple, set, frozenset))
        else make_text(value)
        for key, value in (given or {}).items()
    }
    return {**options, **{key.replace("_", "-"): "" for key, is_set in flags.items() if is_set}}
