"""Algorithms of policies: what cannot work, as sentences, and strongSwan's proposals.

Pure.  A set of algorithms is empty for the default.  Of several the one is
preferred that stands first in the tables below, since OVSDB's sets have no
order: ciphers that authenticate by themselves, then longer keys; groups of
elliptic curves.

What strongSwan 5.9.8 takes was tried.  One proposal of it cannot have both
ciphers that authenticate by themselves and others, nor groups and none.  For
IKE v1 it offers only the first algorithm of each kind in a proposal, and only
proposals of one group for the ESP SA; so there each combination is a proposal.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from .rows import IKEPolicy, IPsecPolicy

DEFAULT_IKE_VERSION = "v2"
DEFAULT_ENCRYPTION = "aes-256"
DEFAULT_INTEGRITY = "sha256"
DEFAULT_GROUP = "group14"
NO_PFS = "none"
# Without perfect forward secrecy too: whether a peer wants it is seen at the first rekeying only.
DEFAULT_PFS = (DEFAULT_GROUP, NO_PFS)

# Their packet of 1 KB passes a path of any MTU whole (a transform has 36 to 40 bytes).
MOST_V1_COMBINATIONS = 24

# Keywords of strongSwan's proposals, docs.strongswan.org/docs/latest/config/proposals.html.
_AEAD = {
    "aes-256-gcm-16": "aes256gcm16",
    "chacha20-poly1305": "chacha20poly1305",
    "aes-256-ccm-16": "aes256ccm16",
    "aes-192-gcm-16": "aes192gcm16",
    "aes-192-ccm-16": "aes192ccm16",
    "aes-128-gcm-16": "aes128gcm16",
    "aes-128-ccm-16": "aes128ccm16",
}
_CLASSIC = {"aes-256": "aes256", "aes-192": "aes192", "aes-128": "aes128"}
_INTEGRITY = {
    "sha256": "sha256",
    "sha384": "sha384",
    "sha512": "sha512",
    "aes-xcbc": "aesxcbc",
    "aes-cmac": "aescmac",
}
_GROUPS = {
    "group31": "curve25519",
    "group19": "ecp256",
    "group20": "ecp384",
    "group21": "ecp521",
    "group32": "curve448",
    "group14": "modp2048",
    "group15": "modp3072",
    "group16": "modp4096",
    "group17": "modp6144",
    "group18": "modp8192",
}
GROUP_NUMBERS = {keyword: name.removeprefix("group") for name, keyword in _GROUPS.items()}
# What has no number in IKE v1, or none that strongSwan knows.
_NOT_OF_IKE_V1 = frozenset((*_AEAD, "aes-xcbc", "aes-cmac"))
_NOT_OF_IKE_V1_FOR_ESP = frozenset(("chacha20-poly1305", "aes-cmac"))

_Kind = list[str]
"""Keywords of one kind of algorithm, the preferred one first."""


# -- proposals -------------------------------------------------------------


def find_ike_version(policy: IKEPolicy | None) -> int:
    """Returns the version of IKE of 'policy', or the default one."""
    version = (policy.ike_version if policy else None) or DEFAULT_IKE_VERSION
    return int(version.removeprefix("v"))


def make_ike_proposals(policy: IKEPolicy | None) -> list[str]:
    """Returns the IKE proposals of 'policy', or the default one, the preferred one first.

    A cipher that authenticates by itself brings its own integrity, and then the
    authentication algorithm is that of the pseudo-random function (RFC 5282,
    section 8).
    """
    return [*_DEFAULT_IKE] if policy is None else _make_ike_proposals(policy)


def _make_ike_proposals(policy: IKEPolicy | None) -> list[str]:
    aead, classic = _find_ciphers(policy)
    integrity = _find_integrity(policy)
    groups = _pick(_GROUPS, policy.pfs if policy else ()) or [_GROUPS[DEFAULT_GROUP]]
    functions = [f"prf{each}" for each in integrity]
    kinds = ([aead, functions, groups], [classic, integrity, groups])
    return _format(kinds, find_ike_version(policy))


def make_esp_proposals(policy: IPsecPolicy | None, ike_version: int) -> list[str]:
    """Returns the ESP proposals of 'policy', or the default ones, the preferred one first."""
    if policy is None:
        return [*(_DEFAULT_ESP if ike_version == 2 else _DEFAULT_ESP_V1)]
    return _make_esp_proposals(policy, ike_version)


def _make_esp_proposals(policy: IPsecPolicy | None, ike_version: int) -> list[str]:
    aead, classic = _find_ciphers(policy)
    integrity = _find_integrity(policy)
    chosen = (policy.pfs if policy else ()) or _find_default_pfs(ike_version)
    groups = _pick(_GROUPS, chosen)
    numbers = ["esn"] if policy and policy.esn else []
    kinds: list[list[_Kind]] = []
    if groups:
        kinds += [aead, groups, numbers], [classic, integrity, groups, numbers]
    if NO_PFS in chosen:
        kinds += [aead, numbers], [classic, integrity, numbers]
    return _format(kinds, ike_version)


def has_only_aead(encryption: Iterable[str]) -> bool:
    """Returns whether all ciphers, of which an empty set is the default, need no integrity."""
    return all(each in _AEAD for each in list(encryption) or [DEFAULT_ENCRYPTION])


def find_kind(word: str) -> str:
    """Returns of which kind a word of a proposal is: a field of export/algorithms.py's Choice."""
    if word in _AEAD.values() or word in _CLASSIC.values():
        return "cipher"
    if word in _INTEGRITY.values():
        return "integrity"
    if word in _GROUPS.values():
        return "group"
    return "numbers" if word == "esn" else "function"


def _find_default_pfs(ike_version: int) -> tuple[str, ...]:
    # With IKE v1 strongSwan would take from the peer what it cannot offer at the next rekeying.
    return DEFAULT_PFS if ike_version == 2 else (DEFAULT_GROUP,)


def _find_ciphers(policy: IKEPolicy | IPsecPolicy | None) -> tuple[_Kind, _Kind]:
    """Returns the ciphers that authenticate by themselves, and the others."""
    chosen = (policy.encryption_algorithm if policy else ()) or (DEFAULT_ENCRYPTION,)
    return _pick(_AEAD, chosen), _pick(_CLASSIC, chosen)


def _find_integrity(policy: IKEPolicy | IPsecPolicy | None) -> _Kind:
    chosen = (policy.auth_algorithm if policy else ()) or (DEFAULT_INTEGRITY,)
    return _pick(_INTEGRITY, chosen)


def _pick(keywords: dict[str, str], chosen: Iterable[str]) -> _Kind:
    wanted = frozenset(chosen)
    return [keyword for name, keyword in keywords.items() if name in wanted]


def _format(kinds: Iterable[list[_Kind]], ike_version: int) -> list[str]:
    """Returns a proposal of each list of kinds, or of each combination; ciphers are first."""
    with_ciphers = [[kind for kind in each if kind] for each in kinds if each[0]]
    if ike_version == 2:
        return ["-".join(word for kind in each for word in kind) for each in with_ciphers]
    return ["-".join(words) for each in with_ciphers for words in product(*each)]


# What connections without a policy come to is always the same.
_DEFAULT_IKE = _make_ike_proposals(None)
_DEFAULT_ESP = _make_esp_proposals(None, 2)
_DEFAULT_ESP_V1 = _make_esp_proposals(None, 1)


# -- problems --------------------------------------------------------------


def policy_problem(policy: IKEPolicy | IPsecPolicy) -> str | None:
    """Returns what cannot work in the algorithms of a policy, whatever else is used with it."""
    if isinstance(policy, IPsecPolicy):
        if policy.auth_algorithm and has_only_aead(policy.encryption_algorithm):
            cipher = next(name for name in _AEAD if name in policy.encryption_algorithm)
            return f"{cipher} authenticates by itself; auth_algorithm must be empty"
        return None
    if find_ike_version(policy) != 1:
        return None
    for name, default in (
        *((each, DEFAULT_ENCRYPTION) for each in policy.encryption_algorithm),
        *((each, DEFAULT_INTEGRITY) for each in policy.auth_algorithm),
    ):
        if name in _NOT_OF_IKE_V1:
            return f"IKE v1 cannot use {name}; use ike_version v2 or {default}"
    return _number_problem(make_ike_proposals(policy))


def esp_v1_problem(policy: IPsecPolicy) -> str | None:
    """Returns what cannot work in the policy of an ESP SA that IKE v1 negotiates."""
    for name in (*policy.encryption_algorithm, *policy.auth_algorithm):
        if name in _NOT_OF_IKE_V1_FOR_ESP:
            return f"IKE v1 cannot use {name}"
    if len(policy.pfs) > 1:
        return f"IKE v1 takes one pfs, not {len(policy.pfs)}"
    return _number_problem(make_esp_proposals(policy, 1))


def _number_problem(proposals: list[str]) -> str | None:
    if len(proposals) <= MOST_V1_COMBINATIONS:
        return None
    return (
        f"IKE v1 offers each combination of algorithms by itself; {len(proposals)} are too many,"
        f" {MOST_V1_COMBINATIONS} are the most"
    )
