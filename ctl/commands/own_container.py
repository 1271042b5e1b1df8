"""container-add, container-set, container-del: containers of the operator's own.

What may be in one is for its service type to say, which is loaded for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...lib.addresses import quote
from ...lib.container import name_problem
from ...lib.errors import UsageError
from ...lib.router import is_ours
from ..ask.secret_file import read_secret
from ..context import Context
from ..db.notation import check_text
from ..db.records import find_row, get_named
from ..db.row import Row
from .container import TABLE, WISH

if TYPE_CHECKING:
    from ...services.api.service_type import ServiceType

KeyChanges = tuple[Sequence[str], Mapping[str, str]]
"""The keys that a map has, and what each key that changes becomes."""


def add(context: Context) -> None:
    """container-add NAME TYPE [KEY=VALUE]..: adds a container of the operator's own.

    KEY=VALUE is a setting of the service type, and --secret=KEY=FILE one that nobody
    may see, from a file or with '-' from standard input.  The service type checks the
    keys where it is installed on this machine; where it is not, --no-check takes them
    as they are.
    """
    name, service_type, *words = context.arguments
    problem = name_problem(name)
    if problem is not None:
        raise UsageError(problem)
    if context.replica.find(TABLE, "name", name) is not None:
        raise UsageError(f"{name}: a container with this name already exists")
    configuration, secrets = _parse_pairs(name, words), _read_secrets(context, name)
    if not context.settings.has("no-check"):
        _check_keys(context, name, service_type, ([], configuration), ([], secrets))
    row = context.replica.insert(TABLE)
    row.set_atom("name", name)
    row.set_atom("service_type", service_type)
    row.set("configuration", {key: value for key, value in configuration.items() if value})
    row.set("secret", {key: value for key, value in secrets.items()})
    _set_group(context, row)


def set_values(context: Context) -> None:
    """container-set NAME [KEY=VALUE]..: changes what a container is given.

    KEY=VALUE is a setting of the service type, and --secret=KEY=FILE one that nobody
    may see, from a file or with '-' from standard input.  The service type checks the
    keys where it is installed on this machine; where it is not, --no-check takes them
    as they are.  KEY= and --secret=KEY= take the key out.
    """
    name, *words = context.arguments
    row = _get_own(context, name)
    configuration, secrets = _parse_pairs(name, words), _read_secrets(context, name)
    if not configuration and not secrets and not context.has("group"):
        raise UsageError(f"{name}: nothing to change is given")
    if not context.settings.has("no-check"):
        have = [[str(key) for key in row.datum(each)] for each in ("configuration", "secret")]
        pairs = zip(have, (configuration, secrets), strict=True)
        _check_keys(context, name, row.text("service_type"), *pairs)
    _change(row, "configuration", configuration)
    _change(row, "secret", secrets)
    _set_group(context, row)


def delete(context: Context) -> None:
    """container-del NAME: removes a container of the operator's own.

    What was wished for it (container-pin, container-migrate) goes too.
    """
    row = find_row(context.replica, TABLE, context.arguments[0])
    if row is None:
        if context.has("if-exists"):
            return
        raise UsageError(f"{context.arguments[0]}: container not found")
    _check_own(row)
    wish = context.replica.find(WISH, "name", row.text("name"))
    if wish is not None:
        context.replica.delete(wish)
    context.replica.delete(row)


# -- pieces ----------------------------------------------------------------


def _get_own(context: Context, name: str) -> Row:
    row = get_named(context.replica, TABLE, name, "container")
    _check_own(row)
    return row


def _check_own(row: Row) -> None:
    external_ids = row.datum("external_ids")
    assert isinstance(external_ids, dict)
    if is_ours({str(key): str(value) for key, value in external_ids.items()}):
        raise UsageError(
            f"{row.text('name')}: svc-northd has made it, and it goes with what it serves"
        )


def _check_keys(
    context: Context, name: str, service_type: str, configuration: KeyChanges, secrets: KeyChanges
) -> None:
    """Raises UsageError if the type does not take what is given, or what is there afterwards."""
    from ..ask.configuration_keys import describe_keys, find_key_problem, find_value_problem

    described = describe_keys(_get_type(context, name, service_type), service_type)
    for is_whole in (False, True):
        keys, hidden = (_find_keys(each, is_whole) for each in (configuration, secrets))
        problem = find_key_problem(described, service_type, keys, hidden, is_whole=is_whole)
        if problem is not None:
            raise UsageError(f"{name}: {problem}")
    problem = find_value_problem(context, described, configuration[1])
    if problem is not None:
        raise UsageError(f"{name}: {problem}")


def _find_keys(changes: KeyChanges, is_whole: bool) -> list[str]:
    """Returns the keys that are given a value, with 'is_whole' those that are there then."""
    have, pairs = changes
    given = [key for key, value in pairs.items() if value]
    return [*(key for key in have if key not in pairs), *given] if is_whole else given


def _get_type(context: Context, name: str, service_type: str) -> ServiceType:
    found = context.types.find_type(service_type)
    if found is not None:
        return found
    problems = [each for each in context.types.problems if f"type {service_type} " in each]
    why = problems[0] if problems else f"service type {quote(service_type)} is not installed here"
    raise UsageError(f"{name}: {why}, so its keys cannot be checked (--no-check omits that)")


def _change(row: Row, column: str, changes: Mapping[str, str]) -> None:
    """Changes keys of a map and leaves the others to whoever changes them meanwhile."""
    have = row.datum(column)
    assert isinstance(have, dict)
    row.remove(column, [key for key, value in changes.items() if have.get(key) != value])
    row.insert(column, {key: value for key, value in changes.items() if value})


def _parse_pairs(name: str, words: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise UsageError(f"{name}: {quote(word)} is not KEY=VALUE")
        if key in pairs:
            raise UsageError(f"{name}: key {quote(key)} is given twice")
        pairs[check_text(key)] = check_text(value)
    return pairs


def _read_secrets(context: Context, name: str) -> dict[str, str]:
    """Returns the secrets that --secret=KEY=FILE names; an empty FILE takes the key out."""
    secrets: dict[str, str] = {}
    for text in context.values("secret"):
        key, equals, path = text.partition("=")
        if not key or not equals:
            raise UsageError(f"{name}: --secret is KEY=FILE, or KEY=- for standard input")
        if key in secrets:
            raise UsageError(f"{name}: secret {quote(key)} is given twice")
        given = f"--secret={key}={path}"
        secrets[key] = read_secret(context, given, path, "secret", one_line=False) if path else ""
    if context.command.name == "container-add" and "" in secrets.values():
        raise UsageError(f"{name}: --secret is KEY=FILE, or KEY=- for standard input")
    return secrets


def _set_group(context: Context, row: Row) -> None:
    name = context.options.get("group")
    if name is not None:
        found = get_named(context.replica, "Container_Group", name, "group") if name else None
        row.set_atom("group", found.uuid if found else None)
