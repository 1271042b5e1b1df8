"""What a service type takes in Service_Container:configuration and :secret."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...lib.addresses import quote
from ...lib.errors import UsageError
from ...lib.router import name_problem
from ...services.api.compile import ConfigurationKey
from ...services.api.service_type import ServiceType
from ..context import Context
from ..type_run import NOT_OURS, describe_mistake
from .router import find_routers

_LONGEST_NAME = 63
_LONGEST_WORDS = 300


def describe_keys(service: ServiceType, name: str) -> Sequence[ConfigurationKey]:
    """Returns the keys that type 'name' takes; raises UsageError if it takes none or cannot say."""
    try:
        half = service.compile_half()
        described = [_check_key(key) for key in half.describe()]
        if half.units is not None:
            raise UsageError(
                f"service type {quote(name)} is not served by a container that is added;"
                " its containers come with rows of its own tables"
            )
        return described
    except UsageError:
        raise
    except NOT_OURS as error:  # the mistake of a type is told, and --no-check goes round it
        raise UsageError(
            f"the service type does not say which keys it takes ({describe_mistake(error)});"
            " --no-check omits that"
        ) from None


def _check_key(key: ConfigurationKey) -> ConfigurationKey:
    """Returns the key; raises TypeError if it is not what a type is to return."""
    if not isinstance(key.name, str) or not isinstance(key.description, str):
        raise TypeError
    if not 0 < len(key.name) <= _LONGEST_NAME:
        raise ValueError
    return replace(key, description=key.description[:_LONGEST_WORDS])


def find_key_problem(
    described: Sequence[ConfigurationKey],
    service_type: str,
    keys: Sequence[str],
    secrets: Sequence[str],
    *,
    is_whole: bool,
) -> str | None:
    """Returns what is wrong with the keys of a container, None if nothing is.

    With 'is_whole' they are all that the container has, so that one that is
    required must be among them.
    """
    known = {key.name: key for key in described}
    for key in (*keys, *secrets):
        if key not in known:
            return f"key {key!r} is not known to service type {service_type}{_propose(key, known)}"
    for key in keys:
        if known[key].secret:
            return f"key {key!r} is a secret; give it with --secret={key}=FILE"
    for key in secrets:
        if not known[key].secret:
            return f"key {key!r} is no secret; give it as {key}=VALUE"
    missing = [key for key in described if key.required and key.name not in (*keys, *secrets)]
    if is_whole and missing:
        description = f" ({missing[0].description})" if missing[0].description else ""
        return f"key {missing[0].name!r} is required by service type {service_type}{description}"
    return None


def find_value_problem(
    context: Context, described: Sequence[ConfigurationKey], values: Mapping[str, str]
) -> str | None:
    """Returns what is wrong with the values of keys, None if nothing is."""
    for key in described:
        value = values.get(key.name)
        if not value:
            continue
        try:
            problem = key.find_problem(value) if key.find_problem is not None else None
            problem = str(problem)[:_LONGEST_WORDS] if problem else None
        except NOT_OURS as error:  # the mistake of a type
            problem = f"its service type cannot check it ({describe_mistake(error)})"
        if problem is None and key.is_router:
            count = len(find_routers(context, value))
            problem = name_problem(value, count) if count != 1 else None
        if problem is not None:
            return f"key {key.name!r}: {problem}"
    return None


def _propose(key: str, known: dict[str, ConfigurationKey]) -> str:
    close = difflib.get_close_matches(key, known, 1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; it takes {', '.join(sorted(known))}" if known else "; it takes none"
