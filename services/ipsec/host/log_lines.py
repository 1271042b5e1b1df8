"""Whom the lines of charon's log are about, and who calls in vain.

Pure but for its own memory: fed by tunnels.py with log events.  An IKE_SA that a
peer opens has no name until charon knows which connection is meant, and the
thread that sends packets has no IKE_SA at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import ike, reasons
from .children import find_connection_id
from .connections import Connection
from .vici import text

_STRANGER_MS = 60_000


@dataclass(frozen=True, slots=True)
class Told:
    """Why the connection of this id has no tunnel; 'attempt' is the same for one attempt.

    'dead_peer' says that its peer does not answer any more, 'failed_rekey' that
    a child SA of it could not be replaced.
    """

    connection: str
    reason: reasons.Reason | None
    attempt: str
    dead_peer: bool = False
    failed_rekey: bool = False


class LogLines:
    """What is remembered of the lines of one charon.

    'stranger' is the address of somebody who calls and of whom no connection is
    known; "" if nobody does.  It is one at a time, whoever else calls, since the
    text of a row must not change all the time.
    """

    def __init__(self, connections: Iterable[Connection] = ()) -> None:
        self.stranger = ""
        self._stranger_ms: int | None = None
        self._remotes: dict[str, str] = {}
        self._attempts: dict[str, int] = {}
        # By the number of an IKE_SA: the child SA that it negotiates.
        self._children: dict[str, str] = {}
        # Where the last packet went to, and in which attempt.
        self._sent = ("", "")
        self.want(connections)

    def want(self, connections: Iterable[Connection]) -> None:
        """Notes which connections there are."""
        self._by_id = {each.id: each for each in connections}
        self._by_ike: dict[str, list[Connection]] = {}
        self._by_peer: dict[str, list[Connection]] = {}
        for each in self._by_id.values():
            self._by_ike.setdefault(ike.find_name(each), []).append(each)
            self._by_peer.setdefault(each.peer_address, []).append(each)

    def take(self, event: Mapping[str, Any]) -> list[Told]:
        """Returns what a log event tells."""
        message, ike_sa = reasons.clean(text(event.get("msg"))), text(event.get("ikesa-uniqueid"))
        if reasons.is_new_attempt(message):
            self._attempts[ike_sa] = self._attempts.get(ike_sa, 0) + 1
        attempt = f"{ike_sa}.{self._attempts.get(ike_sa, 0)}" if ike_sa else self._sent[1]
        addressee = reasons.find_addressee(message)
        if addressee is not None:
            self._sent = addressee, attempt
            return []
        child = reasons.find_child(message)
        if child is not None:
            self._children[ike_sa] = child
        call = reasons.find_call(message)
        if call is not None:
            return self._take_call(call, attempt)
        return list(_explain(message, self._find_concerned(event, message), attempt))

    def forget(self, present: Collection[str], now_ms: int) -> None:
        """Forgets what is of IKE_SAs that are not 'present', and who called a while ago."""
        self._remotes = {key: each for key, each in self._remotes.items() if key in present}
        self._attempts = {key: each for key, each in self._attempts.items() if key in present}
        self._children = {key: each for key, each in self._children.items() if key in present}
        if self._stranger_ms is None:
            self._stranger_ms = now_ms
        elif now_ms - self._stranger_ms >= _STRANGER_MS:
            self.stranger = ""

    # -- helpers, in the order they are called -----------------------------

    def _take_call(self, call: reasons.Call, attempt: str) -> list[Told]:
        known = self._by_peer.get(call.remote, [])
        if not known and self.stranger in ("", call.remote):
            self.stranger, self._stranger_ms = call.remote, None
        return [
            Told(each.id, reasons.explain_call(call, each.local_address), attempt) for each in known
        ]

    def _find_concerned(self, event: Mapping[str, Any], message: str) -> list[Connection]:
        """Returns whom a line is about: by name, or else by the peer's address."""
        ike_sa = text(event.get("ikesa-uniqueid"))
        mine = self._by_id.get(find_connection_id(self._children.get(ike_sa, "")))
        if mine is not None and reasons.is_of_child(message):
            return [mine]
        named = self._by_ike.get(text(event.get("ikesa-name")))
        if named is not None:
            return named
        remote = reasons.find_remote(message)
        if remote is not None and ike_sa:
            remote = self._remotes.setdefault(ike_sa, remote)
        address = remote or self._remotes.get(ike_sa, "")
        if not address and not ike_sa and reasons.is_of_sending(message):
            # Any other line without an IKE_SA may be about a packet of somebody unknown.
            address = self._sent[0]
        return self._by_peer.get(address, [])


def _explain(message: str, concerned: Iterable[Connection], attempt: str) -> Iterator[Told]:
    dead_peer, failed_rekey = reasons.is_dead_peer(message), reasons.is_failed_rekey(message)
    for each in concerned:
        reason = reasons.find_reason(message, each.peer_address)
        if reason is not None or failed_rekey:
            yield Told(each.id, reason, attempt, dead_peer, failed_rekey)
