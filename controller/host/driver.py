"""What reconcile asks of a host: one driver for each kind of thing.

linux/ implements it with the kernel, linux/ovs.py with the local Open_vSwitch,
programs/ with daemons, tests/fakehost.py with a dictionary.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .kinds import Kind


class Unfinished(Exception):
    """What was there before is still going; apply() is to be called again soon."""


class Driver(Protocol):
    """Reads and changes the things of one kind; each call is idempotent.

    A call raises HostError or TransientError when the host refuses, and
    ConfigError when the row asks for what cannot be; apply() raises Unfinished
    while it cannot be done yet.  None blocks for more than some milliseconds.
    """

    def owned(self) -> set[str]:
        """Returns the containers of which something with our mark is there."""

    def owns(self, container: str) -> bool:
        """Returns whether something of 'container' with our mark may be there."""

    def read(self, container: str) -> Any | None:
        """Returns what is there of 'container', or None."""

    def apply(self, container: str, wanted: Any) -> None:
        """Makes 'container' have what is 'wanted'."""

    def remove(self, container: str) -> bool:
        """Removes what there is; returns False while that is still under way."""


class LinksDriver(Driver, Protocol):
    """The driver of Links."""

    def set_up(self, container: str, up: bool) -> None:
        """Sets the ends outside of all links of 'container' up or down, and no more."""


class PortsDriver(Driver, Protocol):
    """The driver of SwitchPorts."""

    def let_go(self, container: str, names: Collection[str]) -> bool:
        """Removes the ports of these names; returns False while that is still under way."""


@dataclass(frozen=True, slots=True)
class Host:
    """The drivers of a host by kind; 'links' and 'ports' are among them."""

    drivers: Mapping[Kind, Driver]
    links: LinksDriver
    ports: PortsDriver
