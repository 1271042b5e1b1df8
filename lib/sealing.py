"""Seals secrets for one chassis, so that the southbound never holds one in clear.

OVSDB limits who may write a row, not who may read it.  A secret therefore
stands in the southbound only as a libsodium sealed box (X25519,
XSalsa20-Poly1305) to the public key of the chassis that needs it.

svc-northd seals on every recompute and must come to the same text each time,
or a recompute would change rows.  The ephemeral key of the box is therefore
derived from the secret, its context and a seed that only the northbound holds,
in place of random bytes.  Without the seed nobody can test a guess of the
secret against the box.  The format is libsodium's (crypto_box_seal), so the
chassis opens it with SealedBox.
"""

from __future__ import annotations

import base64
import hashlib
import os

from nacl import bindings, exceptions
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox

from .errors import ConfigError

_SEED_BYTES = 32
# The field of Curve25519, and the points of it, and of its twist, whose order is 8 or less: with
# them any key agrees on 0, which libsodium refuses (RFC 7748, section 6.1).  A test holds them to
# libsodium.  That is looked up for each chassis, and to seal something for it takes a hundred
# times as long.
_FIELD = 2**255 - 19
_SMALL_ORDER = frozenset(
    (
        0,
        1,
        _FIELD - 1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    )
)


def make_seed() -> str:
    """Returns a new random seed (base64) for SVC_Global:seal_seed."""
    return base64.b64encode(os.urandom(_SEED_BYTES)).decode()


def make_private_key() -> bytes:
    """Returns the 32 bytes of a new private key of a chassis."""
    return bytes(PrivateKey.generate())


def format_public_key(private_key: bytes) -> str:
    """Returns the public half of 'private_key' as Chassis:public_key holds it."""
    return base64.b64encode(bytes(PrivateKey(private_key).public_key)).decode()


def is_seed(seed: str | None) -> bool:
    """Returns whether 'seed' is one that make_seed() could have made."""
    try:
        return seed is not None and bool(_decode(seed, "seal_seed"))
    except ConfigError:
        return False


def is_public_key(public_key: str | None) -> bool:
    """Returns whether something can be sealed to 'public_key'."""
    if public_key is None:
        return False
    try:
        point = int.from_bytes(_decode(public_key, "public key"), "little")
    except ConfigError:
        return False
    # The highest bit is not looked at (RFC 7748, section 5).
    return point % 2**255 % _FIELD not in _SMALL_ORDER


def seal(secret: str, public_key: str, seed: str, context: str) -> str:
    """Returns 'secret' sealed to 'public_key' (both base64 but the secret).

    'context' tells apart equal secrets of different connections.  Raises
    ConfigError if 'public_key' or 'seed' is not what it should be.
    """
    recipient = _decode(public_key, "public key of the chassis")
    digest = hashlib.blake2b(key=_decode(seed, "seal_seed"), digest_size=32)
    for part in (recipient, context.encode(), secret.encode()):
        digest.update(len(part).to_bytes(8, "big") + part)
    public, private = bindings.crypto_box_seed_keypair(digest.digest())
    nonce = hashlib.blake2b(public + recipient, digest_size=bindings.crypto_box_NONCEBYTES)
    try:
        box = bindings.crypto_box(secret.encode(), nonce.digest(), recipient, private)
    except (CryptoError, exceptions.RuntimeError) as error:
        raise ConfigError("nothing can be sealed to the public key of the chassis") from error
    return base64.b64encode(public + box).decode()


def unseal(sealed: str, private_key: bytes) -> str:
    """Returns the secret in 'sealed'; raises ConfigError if it is not for this key."""
    try:
        return SealedBox(PrivateKey(private_key)).decrypt(base64.b64decode(sealed)).decode()
    except (CryptoError, ValueError) as error:
        raise ConfigError("the secret is not sealed for the key of this chassis") from error


def _decode(text: str, what: str) -> bytes:
    try:
        decoded = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ConfigError(f"the {what} is not base64") from error
    if len(decoded) != _SEED_BYTES:
        raise ConfigError(f"the {what} has {len(decoded)} bytes instead of {_SEED_BYTES}")
    return decoded
