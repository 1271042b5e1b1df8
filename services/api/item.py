"""What a container reports of itself: a row of Container_Item, of any service type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Item:
    """One thing of a container, such as a tunnel or a member (Container_Item).

    'subject' is the UUID of the northbound row that it is of, "" for none.
    'since' is a time in ms; None: since its state was first seen.
    """

    kind: str
    name: str
    state: str
    subject: str = ""
    message: str = ""
    since: int | None = None
    detail: Mapping[str, str] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)
