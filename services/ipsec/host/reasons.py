"""What charon's log says about a tunnel that does not come up, in an operator's words.

Pure.  vici has no event that tells why an SA failed; phrases.py has the lines
of the log that do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .phrases import ADDRESS, PHRASES, VERSION

_COMPILED = tuple((kind, re.compile(phrase), text, weak) for kind, phrase, text, weak in PHRASES)
_REMOTE = (
    re.compile(r"^(\S+) is initiating an? "),
    re.compile(r"ignoring IKE_SA setup from ([0-9A-Fa-f:.]+),"),
    re.compile(r"received unsupported IKE version \S+ from ([0-9A-Fa-f:.]+),"),
    re.compile(r"deleting half open IKE_SA with ([0-9A-Fa-f:.]+) after timeout"),
)
# Lines that quote what a peer chose, such as its identity or its vendor IDs, and tell no cause.
_QUOTING = re.compile(r"^(?:looking for |received unknown vendor ID|authentication of )")
_QUOTED = re.compile(r"(['\"]).*\1")
_IDENTITIES = re.compile(r"^(?:IDir '|received IDr )")
# Of a longer line both ends, since a list of subnets stands between what it tells.
_HEAD, _TAIL = 192, 64
_SENT = re.compile(r"sending packet: from \S+ to ([0-9A-Fa-f:.]+)\[")
_CALL = re.compile(r"no IKE config found for ([0-9A-Fa-f:.]+)\.\.\.([0-9A-Fa-f:.]+), sending")
_UNSENT = re.compile(r"error writing to socket: ")
_NEW_ATTEMPT = re.compile(r"peer not responding, trying again")
_CHILD = re.compile(r"^establishing CHILD_SA ([0-9a-f-]+)\{")
_REFUSED_CHILD = re.compile(
    r"^received (?:NO_PROPOSAL_CHOSEN|TS_UNACCEPTABLE|SINGLE_PAIR_REQUIRED|NO_ADDITIONAL_SAS)"
    r" notify"
)
_FAILED_REKEY = re.compile(r"^CHILD_SA rekeying failed, trying again")
_DEAD_PEER = re.compile(r"^(?:giving up after \d+ retransmits|DPD check timed out)")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a tunnel is not up; two of one 'kind' differ in figures only, or hardly.

    A weak one tells what follows from something else.
    """

    kind: str
    sentence: str
    weak: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A packet with which 'remote' wanted to open an IKE SA that charon has no connection for."""

    local: str
    remote: str


def clean(message: str) -> str:
    """Returns a line of the log as it may be searched: short, and without a peer's own words."""
    if len(message) > _HEAD + _TAIL:
        message = f"{message[:_HEAD]} {message[-_TAIL:]}"
    if _QUOTING.match(message) is not None:
        return ""
    return message if _IDENTITIES.match(message) is not None else _QUOTED.sub("''", message)


def find_reason(message: str, peer: str) -> Reason | None:
    """Returns what a line of charon's log tells about the tunnel to 'peer'."""
    for kind, phrase, text, weak in _COMPILED:
        found = phrase.search(message)
        if found is not None:
            words = [each for each in found.groups() if each is not None]
            return Reason(kind, text.format(*words, peer=peer), weak)
    return None


def find_remote(message: str) -> str | None:
    """Returns the address of a peer that opened an IKE_SA which has no name yet."""
    for phrase in _REMOTE:
        found = phrase.search(message)
        if found is not None:
            return found[1]
    return None


def find_addressee(message: str) -> str | None:
    """Returns where charon is sending a packet to."""
    found = _SENT.match(message)
    return found[1] if found is not None else None


def is_of_sending(message: str) -> bool:
    """Returns whether a line is about a packet that did not leave."""
    return _UNSENT.match(message) is not None


def find_call(message: str) -> Call | None:
    """Returns who called in vain."""
    found = _CALL.match(message)
    return Call(found[1], found[2]) if found is not None else None


def is_new_attempt(message: str) -> bool:
    """Returns whether charon begins anew with the same IKE_SA."""
    return _NEW_ATTEMPT.search(message) is not None


def explain_call(call: Call, address: str) -> Reason:
    """Returns why a peer that is known has called in vain; 'address' is ours for it."""
    if call.local == address:
        return Reason(VERSION, f"{call.remote} calls with the other version of IKE")
    return Reason(ADDRESS, f"{call.remote} calls {call.local}; its connection is at {address}")


def find_child(message: str) -> str | None:
    """Returns the name of the child SA that an IKE_SA begins to negotiate."""
    found = _CHILD.match(message)
    return found[1] if found is not None else None


def is_of_child(message: str) -> bool:
    """Returns whether a line is about the child SA that we negotiate."""
    return any(phrase.match(message) is not None for phrase in (_FAILED_REKEY, _REFUSED_CHILD))


def is_failed_rekey(message: str) -> bool:
    """Returns whether a line tells that a child SA could not be replaced."""
    return _FAILED_REKEY.match(message) is not None


def is_dead_peer(message: str) -> bool:
    """Returns whether a line tells that a peer does not answer any more."""
    return _DEAD_PEER.match(message) is not None
