"""What a service type is, and how the installed ones are found.

An entry point of the group 'ovnsvc.service_types' names a type and leads to a
ServiceType, an object that is cheap to import: its halves are imported when
somebody asks for them, so that svc-northd never has a host half nor svcctl
either half.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol, cast

from . import API
from .entry_points import EntryPoint, find_entry_points

if TYPE_CHECKING:
    from .commands import Commands
    from .compile import CompileHalf
    from .host import HostHalf

ENTRY_POINTS = "ovnsvc.service_types"

_DISTRIBUTION = "ovnsvc"
_ROOT = __package__.removesuffix(".services.api")


class ServiceType(Protocol):
    """A kind of service; 'api' is the API that it was written for."""

    api: int

    def compile_half(self) -> CompileHalf:
        """Returns the part for svc-northd."""

    def host_half(self) -> HostHalf:
        """Returns the part for svc-controller."""

    def commands(self) -> Commands:
        """Returns the part for svcctl."""


def load_service_types(
    names: Iterable[str] | None = None,
) -> tuple[dict[str, ServiceType], list[str]]:
    """Returns the installed types by name, and a sentence on each that cannot be loaded.

    With 'names' only those.  A type of somebody else must not end a daemon, so
    whatever its loading raises is told and no more.
    """
    types: dict[str, ServiceType] = {}
    problems: list[str] = []
    for entry in find_entry_points(ENTRY_POINTS):
        if names is not None and entry.name not in names:
            continue
        try:
            loaded = cast("ServiceType", _load(entry))
            api = loaded.api
        except Exception as error:  # as above
            problems.append(f"service type {entry.name} cannot be loaded: {error!r}")
            continue
        if api != API:
            problems.append(
                f"service type {entry.name} was written for version {api} of services/api;"
                f" this is version {API}"
            )
        elif entry.name in types:
            problems.append(f"service type {entry.name} is installed twice; the first is used")
        else:
            types[entry.name] = loaded
    return types, problems


def load_host_halves() -> tuple[dict[str, HostHalf], list[str]]:
    """Returns the host halves of the installed types by name, and a sentence on each that fails.

    To be called before the log is opened: a module of python-ovs' vlog can only
    be made until then.
    """
    types, problems = load_service_types()
    halves: dict[str, HostHalf] = {}
    for name, service_type in types.items():
        try:
            halves[name] = service_type.host_half()
        except Exception as error:  # as above
            problems.append(f"the host half of service type {name} cannot be loaded: {error!r}")
    return halves, problems


def _load(entry: EntryPoint) -> Any:
    """Returns what an entry point leads to; a type of ours is that of this very tree.

    A checkout that is run under its folder's name would have two of each class
    otherwise.
    """
    root, _, rest = entry.module.partition(".")
    name = f"{_ROOT}.{rest}" if root == _DISTRIBUTION else entry.module
    module = importlib.import_module(name)
    return functools.reduce(getattr, entry.attribute.split("."), module)
