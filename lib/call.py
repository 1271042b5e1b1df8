"""Operations that are sent to a server as they are, beside the replica of a session.

Session.call() returns a Call, which is filled when the answer comes.  For what is
not to be replicated: a row that its only writer knows anyhow.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import ovs.jsonrpc

from .refusal import describe_refusal
from .transaction import is_unguarded

Operation = dict[str, Any]


@dataclass(slots=True)
class Call:
    """A transaction (RFC 7047, 4.1.3) that was sent, and its answer.

    'done' is whether there is nothing more to come; then 'results' are those of
    the operations, or None with the reason in 'problem'.  A 'lost' one was not
    refused: its connection broke, so that it is not known whether it was carried
    out, or this client has not the lock that it asserts, or its guard does not
    hold, which 'unguarded' tells.
    """

    done: bool = False
    results: list[dict[str, Any]] | None = None
    problem: str = ""
    lost: bool = False
    unguarded: bool = False
    # How many results are the guard's, and nobody else's.
    guards: int = 0


@dataclass(slots=True)
class Calls:
    """The calls of one session that wait for their answers, by the number of the request."""

    waiting: dict[int, Call] = field(default_factory=dict)

    def add(self, number: int, guards: int) -> Call:
        """Returns a call that waits for the answer to request 'number', behind so many guards."""
        call = self.waiting[number] = Call(guards=guards)
        return call

    def take(self, message: ovs.jsonrpc.Message) -> bool:
        """Returns whether 'message' is the answer to a call, which is filled."""
        call = self.waiting.pop(message.id, None)
        if call is None:
            return False
        call.done = True
        if message.error is not None:
            call.problem = str(message.error)
            return True
        # An operation that failed has an error in its place, as has the commit behind the last.
        errors = [each for each in message.result if isinstance(each, dict) and "error" in each]
        if errors:
            call.problem = describe_refusal(errors[0])
            call.unguarded = is_unguarded(message.result, call.guards)
            call.lost = call.unguarded or errors[0]["error"] == "not owner"
        else:
            call.results = [each or {} for each in message.result[call.guards :]]
        return True

    def drop(self) -> None:
        """Ends all: the connection is another one."""
        for call in self.waiting.values():
            call.done, call.lost, call.problem = True, True, "the connection broke"
        self.waiting.clear()
