"""The phrases of charon's log that have a cause in them, and an operator's words for each.

Of strongSwan 5.9.8, IKE v1 and v2, as initiator and as responder, at level 1:
what libcharon, kernel-libipsec and libipsec say of a tunnel that is refused,
not answered or cannot be made on this chassis.  Those of certificates, EAP,
virtual addresses, MOBIKE and mediation are not here, since no connection of ours
has any.  The first phrase that a line has is taken.

A weak phrase tells what follows from something else: it does not take the
place of another one of the same attempt.
"""

from __future__ import annotations

NO_ANSWER = "no answer"
AUTHENTICATION = "authentication"
IDENTITY = "identity"
PROPOSAL = "proposal"
SELECTORS = "selectors"
NETWORK = "network"
VERSION = "version"
ADDRESS = "address"
MODE = "mode"
REFUSED = "refused"
CHASSIS = "chassis"
LOAD = "load"
CLOSED = "closed"

STRONG, WEAK = False, True

Phrase = tuple[str, str, str, bool]
"""Kind, charon's phrase, sentence, and whether it is weak."""

_SILENCE: tuple[Phrase, ...] = (
    (NO_ANSWER, r"retransmit \d+ of request", "no answer from {peer}", WEAK),
    (NO_ANSWER, r"giving up after \d+ retransmits", "no answer from {peer}", WEAK),
    (NO_ANSWER, r"DPD check timed out", "no answer from {peer} to dead peer detection", WEAK),
    (
        NO_ANSWER,
        r"deleting half open IKE_SA with \S+ after timeout",
        "{peer} began and did not go on",
        WEAK,
    ),
    (
        NETWORK,
        r"error writing to socket: (.*)",
        "packets to {peer} cannot be sent: {0}",
        STRONG,
    ),
)

_AUTHENTICATION: tuple[Phrase, ...] = (
    (
        AUTHENTICATION,
        r"received AUTHENTICATION_FAILED (?:notify error|error notify)",
        "authentication failed: {peer} refused our pre-shared key or identity,"
        " or has not our peer id",
        STRONG,
    ),
    (
        AUTHENTICATION,
        r"MAC mismatched|calculated HASH does not match",
        "authentication failed: the pre-shared key of {peer} is not ours",
        STRONG,
    ),
    (
        AUTHENTICATION,
        r"no shared key found",
        "authentication failed: no pre-shared key for the identity of {peer}",
        STRONG,
    ),
    (
        AUTHENTICATION,
        r"invalid \w+ payload length, decryption failed|could not decrypt payloads"
        # charon has IKE v2's name for the INVALID-KEY-INFORMATION of IKE v1.
        r"|received (?:PAYLOAD_MALFORMED|INVALID_HASH_INFORMATION|INVALID_KE_PAYLOAD) error notify",
        "authentication failed: the pre-shared key of {peer} is probably not ours",
        STRONG,
    ),
    (
        AUTHENTICATION,
        r"constraint requires (.+) authentication, but (.+) was used",
        "authentication failed: {peer} authenticates by {1}, not by {0}",
        STRONG,
    ),
    (
        AUTHENTICATION,
        r"none allows (.+) authentication using (Main|Aggressive) Mode",
        "authentication failed: {peer} asks for {0} in {1} Mode",
        STRONG,
    ),
    (
        AUTHENTICATION,
        r"negotiated authentication method (.+) not supported",
        "authentication failed: {peer} asks for {0}",
        STRONG,
    ),
    (
        AUTHENTICATION,
        r"peer requested EAP",
        "authentication failed: {peer} asks for EAP in place of a pre-shared key",
        STRONG,
    ),
    (
        AUTHENTICATION,
        r"no trusted (.+) public key found for",
        "authentication failed: {peer} has a certificate in place of a pre-shared key",
        STRONG,
    ),
    (
        IDENTITY,
        r"^IDir '(.*)' does not match to '(.*)'|^received IDr (.*), but require (.*)",
        "authentication failed: the identity of {peer} is {0}, not {1}",
        STRONG,
    ),
    (
        IDENTITY,
        r"no (?:matching )?peer config found|constraint check failed",
        "authentication failed: {peer} has another identity, or expects another of us",
        STRONG,
    ),
    (
        AUTHENTICATION,
        r"selected peer config '.*' unacceptable: (.*)",
        "authentication failed: {peer} is not what its connection asks for ({0})",
        WEAK,
    ),
    (
        MODE,
        r"Aggressive Mode PSK disabled for security reasons",
        "{peer} calls in Aggressive Mode of IKE v1; only Main Mode is served",
        STRONG,
    ),
    (
        VERSION,
        r"received INVALID_MAJOR_VERSION (?:notify error|error notify)"
        r"|received unsupported IKE version|ignoring \S+ IKEv\d exchange",
        "{peer} has another version of IKE",
        STRONG,
    ),
)

# An answer of IKE v1 is signed once phase 1 is done; then it is about the ESP SA.
_PROPOSALS: tuple[Phrase, ...] = (
    (
        PROPOSAL,
        r"received NO_PROPOSAL_CHOSEN notify error"
        r"|parsed INFORMATIONAL_V1 request \d+ \[ N\(NO_PROP\) \]",
        "no proposal chosen: {peer} accepts none of our IKE algorithms, or has no connection"
        " with us in this version of IKE",
        STRONG,
    ),
    (
        PROPOSAL,
        r"received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built"
        r"|parsed INFORMATIONAL_V1 request \d+ \[ HASH N\(NO_PROP\) \]",
        "no proposal chosen: {peer} accepts none of our ESP algorithms",
        STRONG,
    ),
    (
        PROPOSAL,
        r"received proposals unacceptable|no proposal found",
        "no proposal chosen: {peer} offers no IKE algorithms that we accept",
        STRONG,
    ),
    (
        PROPOSAL,
        r"no acceptable proposal found|no matching proposal found",
        "no proposal chosen: {peer} offers no ESP algorithms that we accept",
        STRONG,
    ),
    (
        PROPOSAL,
        r"requested DH group (\S+) not (?:supported|contained)|ignore requested (\S+)",
        "no proposal chosen: {peer} insists on the group {0}",
        STRONG,
    ),
    (
        PROPOSAL,
        r"peers proposal selection invalid|peer DH group selection invalid",
        "no proposal chosen: {peer} chose algorithms that we did not offer",
        STRONG,
    ),
)

_SELECTORS: tuple[Phrase, ...] = (
    (
        SELECTORS,
        r"received TS_UNACCEPTABLE notify",
        "traffic selectors refused: {peer} has other subnets",
        STRONG,
    ),
    (
        SELECTORS,
        r"traffic selectors .*(?:unacceptable|inacceptable)",
        "traffic selectors refused: {peer} asks for other subnets",
        STRONG,
    ),
    (
        SELECTORS,
        r"no matching CHILD_SA config found|received INVALID_ID_INFORMATION",
        "traffic selectors refused: the subnets of {peer} are not ours",
        STRONG,
    ),
    (
        SELECTORS,
        r"no acceptable traffic selectors found|peer selected invalid traffic selectors",
        "traffic selectors refused: {peer} answers with subnets that we did not ask for",
        STRONG,
    ),
    (
        SELECTORS,
        r"received SINGLE_PAIR_REQUIRED notify",
        "traffic selectors refused: {peer} wants a tunnel for each pair of subnets",
        STRONG,
    ),
    (
        MODE,
        r"^(\S+) mode requested by responder is unacceptable",
        "{peer} wants {0} mode; only tunnel mode is served",
        STRONG,
    ),
)

_CHASSIS: tuple[Phrase, ...] = (
    (
        CHASSIS,
        r"IPsec SA: ESN not supported",
        "extended sequence numbers (esn) need ESP in the kernel, which this chassis has not",
        STRONG,
    ),
    (
        CHASSIS,
        r"unsupported (?:AEAD|encryption|integrity) algorithm (\S+)"
        r"|DH group (\S+) not supported|negotiated (DH group) not supported"
        r"|(\w+)(?: \(key size \d+\))? not supported!",
        "strongSwan of this chassis does not have {0}",
        STRONG,
    ),
    (
        CHASSIS,
        r"can't install route for .*, conflicts with IKE traffic",
        "the subnets of {peer} take in its own address",
        STRONG,
    ),
    (
        CHASSIS,
        r"(?:unable to install|allocating SPI|unable to allocate SPI|failed to create TUN)",
        "the tunnel to {peer} cannot be made on this chassis",
        WEAK,
    ),
    (
        LOAD,
        r"(?:abort IKE_SA initiation|ignoring (?:IKE_SA setup from )?[^,]+), (.* limit .*)",
        "charon has too much to do: {0}",
        STRONG,
    ),
)

# The last is of whatever else a peer may answer (RFC 7296, 3.10.1; RFC 2408, 3.14.1).
_REFUSALS: tuple[Phrase, ...] = (
    (
        REFUSED,
        r"received NO_ADDITIONAL_SAS notify",
        "{peer} takes no more tunnels of one IKE SA",
        STRONG,
    ),
    (
        REFUSED,
        r"received (?:INTERNAL_ADDRESS_FAILURE|FAILED_CP_REQUIRED) notify"
        r"|configuration payload negotiation failed",
        "{peer} takes us for one of its remote users, whom it gives an address",
        STRONG,
    ),
    (REFUSED, r"received TEMPORARY_FAILURE notify", "{peer} is busy and asks us to wait", WEAK),
    (
        REFUSED,
        r"received (\w+) (?:notify error|error notify|notify, no CHILD_SA built)",
        "{peer} refused: {0}",
        WEAK,
    ),
    (
        REFUSED,
        r"(\w+ payload)s? missing",
        "{peer} sent a message without its {0}",
        WEAK,
    ),
    (
        REFUSED,
        r"(giving up after \d+ retries|key derivation .*failed|applying DH public value failed"
        r"|unable to apply received KE value)",
        "no keys can be agreed on with {peer}: {0}",
        WEAK,
    ),
    (
        REFUSED,
        r"canceling .* due to uniqueness policy",
        "{peer} has an IKE SA with us already",
        STRONG,
    ),
    (
        REFUSED,
        r"(message parsing failed|(?:message|header) verification failed|integrity check failed"
        r"|critical unknown payloads found)",
        "{peer} sends what charon does not understand: {0}",
        WEAK,
    ),
    (
        CLOSED,
        r"received DELETE for IKE_SA",
        "{peer} closed the connection; it tells why in its own log",
        WEAK,
    ),
)

PHRASES = (
    *_SILENCE,
    *_AUTHENTICATION,
    *_PROPOSALS,
    *_SELECTORS,
    *_CHASSIS,
    *_REFUSALS,
)
