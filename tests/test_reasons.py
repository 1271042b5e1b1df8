"""charon's log in an operator's words: every phrase."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from ..services.ipsec.host import reasons
from ..services.ipsec.host.phrases import PHRASES

LIBRARIES = (
    *("libcharon.so.0", "libipsec.so.0", "libstrongswan.so.0"),
    *("plugins/libstrongswan-kernel-libipsec.so", "plugins/libstrongswan-socket-default.so"),
)
IPSEC = Path("/usr/lib/ipsec")
NOTIFY = "received %N notify"
ERROR = "received %N error notify"
REFUSAL = "received %N notify error"
NO_CHILD = "received %N notify, no CHILD_SA built"

# What is in a library, a line of it, and what is told.
LINES = (
    (
        "retransmit %d of request with message ID %d",
        "retransmit 1 of request with message ID 0",
        "no answer from P",
    ),
    (
        "sending retransmit %u of %s message ID %u, seq %u",
        "sending retransmit 3 of request message ID 0, seq 1",
        "no answer from P",
    ),
    (
        "giving up after %d retransmits",
        "giving up after 6 retransmits",
        "no answer from P",
    ),
    (
        "DPD check timed out, enforcing DPD action",
        "DPD check timed out, enforcing DPD action",
        "no answer from P to dead peer detection",
    ),
    (
        "deleting half open IKE_SA with %H after timeout",
        "deleting half open IKE_SA with 1.0.0.3 after timeout",
        "P began and did not go on",
    ),
    (
        "error writing to socket: %s",
        "error writing to socket: Network is unreachable",
        "packets to P cannot be sent: Network is unreachable",
    ),
    (
        *(REFUSAL, "received AUTHENTICATION_FAILED notify error"),
        "authentication failed: P refused our pre-shared key or identity",
    ),
    (
        *(ERROR, "received AUTHENTICATION_FAILED error notify"),
        "authentication failed: P refused our pre-shared key or identity",
    ),
    (
        "tried %d shared key%s for '%Y' - '%Y', but MAC mismatched",
        "tried 1 shared key for '1.0.0.10' - '1.0.0.11', but MAC mismatched",
        "authentication failed: the pre-shared key of P is not ours",
    ),
    (
        "calculated HASH does not match HASH payload",
        "calculated HASH does not match HASH payload",
        "authentication failed: the pre-shared key of P is not ours",
    ),
    (
        "no shared key found for '%Y' - '%Y'",
        "no shared key found for '1.0.0.10' - '1.0.0.11'",
        "authentication failed: no pre-shared key for the identity of P",
    ),
    (
        "invalid %N payload length, decryption failed?",
        "invalid HASH_V1 payload length, decryption failed?",
        "authentication failed: the pre-shared key of P is probably not ours",
    ),
    (
        *(ERROR, "received PAYLOAD_MALFORMED error notify"),
        "authentication failed: the pre-shared key of P is probably not ours",
    ),
    (
        *(ERROR, "received INVALID_KE_PAYLOAD error notify"),
        "authentication failed: the pre-shared key of P is probably not ours",
    ),
    (
        "constraint requires %N authentication, but %N was used",
        "constraint requires pre-shared key authentication, but public key was used",
        "authentication failed: P authenticates by public key, not by pre-shared key",
    ),
    (
        "found %d matching config%s, but none allows %N authentication using %s Mode",
        "found 1 matching config, but none allows RSA signature authentication using Main Mode",
        "authentication failed: P asks for RSA signature in Main Mode",
    ),
    (
        "negotiated authentication method %N not supported",
        "negotiated authentication method DSS signature not supported",
        "authentication failed: P asks for DSS signature",
    ),
    (
        "peer requested EAP, config unacceptable",
        "peer requested EAP, config unacceptable",
        "authentication failed: P asks for EAP in place of a pre-shared key",
    ),
    (
        "no trusted %N public key found for '%Y'",
        "no trusted RSA public key found for '1.0.0.3'",
        "authentication failed: P has a certificate in place of a pre-shared key",
    ),
    (
        "IDir '%Y' does not match to '%Y'",
        "IDir '1.0.0.3' does not match to 'venus'",
        "authentication failed: the identity of P is 1.0.0.3, not venus",
    ),
    (
        "received IDr %Y, but require %Y",
        "received IDr 1.0.0.3, but require venus",
        "authentication failed: the identity of P is 1.0.0.3, not venus",
    ),
    (
        "no peer config found",
        "no peer config found",
        "authentication failed: P has another identity, or expects another of us",
    ),
    (
        "no matching peer config found",
        "no matching peer config found",
        "authentication failed: P has another identity, or expects another of us",
    ),
    (
        "selected peer config '%s' unacceptable: %s",
        "selected peer config 'x' unacceptable: non-matching authentication done",
        "authentication failed: P is not what its connection asks for (non-matching auth",
    ),
    (
        "Aggressive Mode PSK disabled for security reasons",
        "Aggressive Mode PSK disabled for security reasons",
        "P calls in Aggressive Mode of IKE v1; only Main Mode is served",
    ),
    (
        *(REFUSAL, "received INVALID_MAJOR_VERSION notify error"),
        "P has another version of IKE",
    ),
    (
        "ignoring %N IKEv%u exchange on %N SA",
        "ignoring ID_PROT IKEv1 exchange on IKEv2 SA",
        "P has another version of IKE",
    ),
    (
        *(REFUSAL, "received NO_PROPOSAL_CHOSEN notify error"),
        "no proposal chosen: P accepts none of our IKE algorithms, or has no connection with us",
    ),
    (
        "parsed %s",
        "parsed INFORMATIONAL_V1 request 3256021050 [ N(NO_PROP) ]",
        "no proposal chosen: P accepts none of our IKE algorithms, or has no connection with us",
    ),
    (
        "parsed %s",
        "parsed INFORMATIONAL_V1 request 3256021050 [ HASH N(NO_PROP) ]",
        "no proposal chosen: P accepts none of our ESP algorithms",
    ),
    (
        *(NO_CHILD, "received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built"),
        "no proposal chosen: P accepts none of our ESP algorithms",
    ),
    (
        "received proposals unacceptable",
        "received proposals unacceptable",
        "no proposal chosen: P offers no IKE algorithms that we accept",
    ),
    (
        "no proposal found",
        "no proposal found",
        "no proposal chosen: P offers no IKE algorithms that we accept",
    ),
    (
        "no acceptable proposal found",
        "no acceptable proposal found",
        "no proposal chosen: P offers no ESP algorithms that we accept",
    ),
    (
        "no matching proposal found, sending %N",
        "no matching proposal found, sending NO_PROPOSAL_CHOSEN",
        "no proposal chosen: P offers no ESP algorithms that we accept",
    ),
    (
        "requested DH group %N not contained in any of our proposals",
        "requested DH group MODP_1024 not contained in any of our proposals",
        "no proposal chosen: P insists on the group MODP_1024",
    ),
    (
        "peer DH group selection invalid",
        "peer DH group selection invalid",
        "no proposal chosen: P chose algorithms that we did not offer",
    ),
    (
        *(NO_CHILD, "received TS_UNACCEPTABLE notify, no CHILD_SA built"),
        "traffic selectors refused: P has other subnets",
    ),
    (
        "traffic selectors %#R === %#R unacceptable",
        "traffic selectors 10.0.0.0/8 === 10.1.0.0/16 unacceptable",
        "traffic selectors refused: P asks for other subnets",
    ),
    (
        "no matching CHILD_SA config found for %#R === %#R",
        "no matching CHILD_SA config found for 10.0.0.0/8 === 10.1.0.0/16",
        "traffic selectors refused: the subnets of P are not ours",
    ),
    (
        *(ERROR, "received INVALID_ID_INFORMATION error notify"),
        "traffic selectors refused: the subnets of P are not ours",
    ),
    (
        "peer selected invalid traffic selectors: %R for %R, %R for %R",
        "peer selected invalid traffic selectors: 10.1.0.0/16 for 10.2.0.0/16, 10.3.0.0/16 for x",
        "traffic selectors refused: P answers with subnets that we did not ask for",
    ),
    (
        *(NO_CHILD, "received SINGLE_PAIR_REQUIRED notify, no CHILD_SA built"),
        "traffic selectors refused: P wants a tunnel for each pair of subnets",
    ),
    (
        "%N mode requested by responder is unacceptable",
        "TRANSPORT mode requested by responder is unacceptable",
        "P wants TRANSPORT mode; only tunnel mode is served",
    ),
    (
        "  IPsec SA: ESN not supported",
        "  IPsec SA: ESN not supported",
        "extended sequence numbers (esn) need ESP in the kernel, which this chassis has not",
    ),
    (
        "failed to create ESP context: unsupported integrity algorithm %N",
        "failed to create ESP context: unsupported integrity algorithm AES_CMAC_96",
        "strongSwan of this chassis does not have AES_CMAC_96",
    ),
    (
        "%N %N (key size %d) not supported!",
        "ENCRYPTION_ALGORITHM AES_CTR (key size 256) not supported!",
        "strongSwan of this chassis does not have AES_CTR",
    ),
    (
        "can't install route for %R === %R %N, conflicts with IKE traffic",
        "can't install route for 10.1.0.0/16 === 1.0.0.0/24 out, conflicts with IKE traffic",
        "the subnets of P take in its own address",
    ),
    (
        "unable to install IPsec policies (SPD) in kernel",
        "unable to install IPsec policies (SPD) in kernel",
        "the tunnel to P cannot be made on this chassis",
    ),
    (
        "ignoring IKE_SA setup from %H, per-IP half-open IKE_SA limit of %d reached",
        "ignoring IKE_SA setup from 1.0.0.3, per-IP half-open IKE_SA limit of 5 reached",
        "charon has too much to do: per-IP half-open IKE_SA limit of 5 reached",
    ),
    (
        *(NO_CHILD, "received NO_ADDITIONAL_SAS notify, no CHILD_SA built"),
        "P takes no more tunnels",
    ),
    (
        *(NO_CHILD, "received FAILED_CP_REQUIRED notify, no CHILD_SA built"),
        "P takes us for one of its remote users",
    ),
    (
        "received %N notify, will retry later",
        "received TEMPORARY_FAILURE notify, will retry later",
        "P is busy and asks us to wait",
    ),
    (*(REFUSAL, "received INVALID_SYNTAX notify error"), "P refused: INVALID_SYNTAX"),
    ("KE payload missing in message", "KE payload missing in message", "P sent a message without"),
    ("key derivation failed", "key derivation failed", "no keys can be agreed on with P"),
    (
        "canceling Main Mode due to uniqueness policy",
        "canceling Main Mode due to uniqueness policy",
        "P has an IKE SA with us already",
    ),
    (
        "message verification failed",
        "message verification failed",
        "P sends what charon does not understand: message verification failed",
    ),
    (
        "received DELETE for IKE_SA %s[%d]",
        "received DELETE for IKE_SA x[7]",
        "P closed the connection",
    ),
)


def is_known_version() -> bool:
    """Returns whether the strongSwan is installed whose words these are."""
    program = Path("/usr/sbin/charon-systemd")
    return program.exists() and b"\x005.9.8\0" in program.read_bytes()


@cache
def read_libraries() -> bytes:
    return b"".join((IPSEC / each).read_bytes() for each in LIBRARIES)


@pytest.mark.parametrize(("format", "line", "sentence"), LINES)
def test_reason(format: str, line: str, sentence: str) -> None:
    found = reasons.find_reason(line, "P")
    assert found is not None
    assert found.sentence.startswith(sentence)
    assert "{" not in found.sentence


@pytest.mark.skipif(not is_known_version(), reason="strongSwan 5.9.8 is not installed")
@pytest.mark.parametrize("format", sorted({each[0] for each in LINES}))
def test_the_libraries_say_so(format: str) -> None:
    assert format.encode() + b"\0" in read_libraries()


def test_every_phrase_has_a_line() -> None:
    met = {find_first(line) for _, line, _ in LINES}
    assert met == {phrase for _, phrase, _, _ in PHRASES}


def find_first(line: str) -> str:
    return next(phrase for _, phrase, _, _ in PHRASES if re.search(phrase, line))


@pytest.mark.parametrize(
    "line",
    [
        "sending keep alive to 1.0.0.3[4500]",
        "received INITIAL_CONTACT notify",
        "parsed INFORMATIONAL_V1 request 7 [ HASH D ]",
        "ignoring request with ID 7, already processing",
        "IKE_SA x[1] established between 1.0.0.10[a]...1.0.0.11[b]",
        "received DELETE for ESP CHILD_SA with SPI c0ffee00",
        "DH group MODP_2048 unacceptable, requesting ECP_256",
    ],
)
def test_no_reason_in_other_lines(line: str) -> None:
    assert reasons.find_reason(line, "P") is None
