"""What charon's log says about a tunnel that does not come up, in an operator's words.

Pure.  The one table of phrases of charon (seen in strongSwan 5.9.8, IKEv1 and
IKEv2); vici has no event that tells why an SA failed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NO_ANSWER = "no answer"
PROPOSAL = "proposal"
SELECTORS = "selectors"
# What a child SA is refused for.
REFUSALS = (PROPOSAL, SELECTORS)

_PHRASES: tuple[tuple[str, str, str], ...] = (
    # kind, charon's phrase, sentence
    (NO_ANSWER, r"retransmit (\d+) of request", "no answer from {peer} ({0} {times})"),
    (NO_ANSWER, r"giving up after (\d+) retransmits", "no answer from {peer} ({0} {times})"),
    (
        "authentication",
        r"received AUTHENTICATION_FAILED notify",
        "authentication failed: {peer} refused our pre-shared key or identity",
    ),
    (
        "authentication",
        r"MAC mismatched",
        "authentication failed: the pre-shared key of {peer} is not ours",
    ),
    (
        "authentication",
        r"no shared key found",
        "authentication failed: no pre-shared key for the identity of {peer}",
    ),
    (
        "authentication",
        r"(?:invalid HASH_V1 payload length|could not decrypt payloads)",
        "authentication failed: the pre-shared key of {peer} is probably not ours",
    ),
    (
        "identity",
        r"(?:no matching peer config found|constraint check failed)",
        "authentication failed: {peer} has another identity, or expects another of us",
    ),
    (
        PROPOSAL,
        r"received NO_PROPOSAL_CHOSEN notify",
        "no proposal chosen: {peer} accepts none of our algorithms",
    ),
    (
        PROPOSAL,
        r"(?:received proposals unacceptable|no acceptable proposal found)",
        "no proposal chosen: {peer} offers no algorithms that we accept",
    ),
    (
        SELECTORS,
        r"received TS_UNACCEPTABLE notify",
        "traffic selectors refused: {peer} has other subnets",
    ),
    (
        SELECTORS,
        r"traffic selectors .*(?:unacceptable|inacceptable)",
        "traffic selectors refused: {peer} asks for other subnets",
    ),
    (
        SELECTORS,
        r"(?:no matching CHILD_SA config found|received INVALID_ID_INFORMATION)",
        "traffic selectors refused: the subnets of {peer} are not ours",
    ),
    ("network", r"error writing to socket: (.*)", "packets to {peer} cannot be sent: {0}"),
)

_COMPILED = tuple((kind, re.compile(phrase), text) for kind, phrase, text in _PHRASES)
_REMOTE = (
    re.compile(r"^(\S+) is initiating an? "),
    re.compile(r"looking for peer configs matching \S+\.\.\.([0-9A-Fa-f:.]+)\["),
)
_CHILD = re.compile(r"^establishing CHILD_SA ([0-9a-f-]+)\{")
_FAILED_REKEY = re.compile(r"^CHILD_SA rekeying failed, trying again")
_REFUSED_CHILD = re.compile(
    r"^received (?:NO_PROPOSAL_CHOSEN|TS_UNACCEPTABLE|SINGLE_PAIR_REQUIRED|NO_ADDITIONAL_SAS)"
    r" notify"
)
_DEAD_PEER = re.compile(r"^(?:giving up after \d+ retransmits|DPD check timed out)")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a tunnel is not up; two of one 'kind' differ in figures only."""

    kind: str
    sentence: str


def find_reason(message: str, peer: str) -> Reason | None:
    """Returns what a line of charon's log tells about the tunnel to 'peer'."""
    for kind, phrase, text in _COMPILED:
        found = phrase.search(message)
        if found is not None:
            times = "retransmit" if found.groups() == ("1",) else "retransmits"
            return Reason(kind, text.format(*found.groups(), peer=peer, times=times))
    return None


def find_remote(message: str) -> str | None:
    """Returns the address of a peer that opened an IKE_SA which has no name yet."""
    for phrase in _REMOTE:
        found = phrase.search(message)
        if found is not None:
            return found[1]
    return None


def find_child(message: str) -> str | None:
    """Returns the name of the child SA that an IKE_SA begins to negotiate."""
    found = _CHILD.search(message)
    return found[1] if found is not None else None


def is_of_child(message: str) -> bool:
    """Returns whether a line is about the child SA that we negotiate."""
    return any(phrase.search(message) is not None for phrase in (_FAILED_REKEY, _REFUSED_CHILD))


def is_failed_rekey(message: str) -> bool:
    """Returns whether a line tells that a child SA could not be replaced."""
    return _FAILED_REKEY.search(message) is not None


def is_dead_peer(message: str) -> bool:
    """Returns whether a line tells that a peer does not answer any more."""
    return _DEAD_PEER.search(message) is not None
