"""Keeps secrets out of what python-ovs logs, at any level and by any way.

python-ovs logs each JSON-RPC message at level dbg, and puts what it could not
read into its complaints.  'install' replaces what makes text of them.  The
daemons call it before anything is logged (loop.py); svcctl logs no messages, and as a daemon
no word of one.

What cannot be told apart is dropped rather than printed.
"""

from __future__ import annotations

import logging
import re
from typing import Any

import ovs.db.error
import ovs.json
import ovs.jsonrpc

# The columns of all databases of ours whose content nobody may read in a log.
SECRET_COLUMNS = frozenset({"psk", "seal_seed", "secret", "secrets"})
HIDDEN = "***"
_DESTINATIONS = ("console", "file", "syslog")
_hides_all = False
# What the parser says of a broken stream may hold a piece of it.
_PARSE_ERROR = re.compile(r"(error parsing stream:) .*", re.DOTALL)


def redact(json: Any) -> Any:
    """Returns 'json' with the content of each secret column replaced, however deep it stands.

    A column stands as a key in a row, and first in a clause of a condition or
    in a mutation: [column, operator, value].
    """
    if isinstance(json, dict):
        return {
            key: HIDDEN if key in SECRET_COLUMNS else redact(value) for key, value in json.items()
        }
    if isinstance(json, (list, tuple)):
        if len(json) == 3 and isinstance(json[0], str) and json[0] in SECRET_COLUMNS:
            return [json[0], redact(json[1]), HIDDEN]
        return [redact(each) for each in json]
    return json


def install() -> None:
    """Makes python-ovs log without secrets; may be called again."""
    ovs.jsonrpc.Message.__str__ = _format_message
    ovs.db.error.Error.__init__ = _init_error
    for destination in _DESTINATIONS:
        logger = logging.getLogger(destination)
        if _drop_parse_error not in logger.filters:
            logger.addFilter(_drop_parse_error)


def hide_all_words() -> None:
    """Makes python-ovs log no word of a message: for who is told command lines, and prints to them.

    In a line of text nothing tells what of it is a secret.
    """
    global _hides_all  # noqa: PLW0603
    _hides_all = True


def _format_message(message: Any) -> str:
    """Returns a JSON-RPC message as python-ovs shows it, without secrets."""
    words = [ovs.jsonrpc.Message.type_to_string(message.type)]
    if message.method is not None:
        words.append(f'method="{message.method}"')
    for name in ("params", "result", "error", "id"):
        value = getattr(message, name)
        if value is not None:
            words.append(f"{name}={_format_json(value)}")
    return ", ".join(words)


def _format_json(json: Any) -> str:
    if _hides_all and not isinstance(json, int):
        return HIDDEN
    try:
        return str(ovs.json.to_string(redact(json)))
    except Exception:  # a text that cannot be made must not end the daemon, nor be made otherwise
        return HIDDEN


def _init_error(error: Any, message: str, json: Any = None, tag: str | None = None) -> None:
    """Makes an ovs.db.error.Error without the JSON in its text: it may be a secret alone."""
    error.msg, error.json = message, json
    error.tag = tag or ("ovsdb error" if json is None else "syntax error")
    Exception.__init__(error, f"{error.tag}: {message}")


def _drop_parse_error(record: logging.LogRecord) -> bool:
    """Cuts what a complaint on a broken stream quotes; each record is logged."""
    if isinstance(record.msg, str):
        record.msg = _PARSE_ERROR.sub(r"\1 not shown", record.msg)
    return True
