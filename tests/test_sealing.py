"""Secrets for one chassis: sealed alike each time, opened by its key only."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PrivateKey, SealedBox

from ..lib import sealing
from ..lib.errors import ConfigError

PRIVATE = bytes(range(32))
PUBLIC = sealing.format_public_key(PRIVATE)
SEED = base64.b64encode(b"s" * 32).decode()
secrets = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@given(secrets, secrets)
def test_the_chassis_gets_the_secret_back(secret: str, context: str) -> None:
    sealed = sealing.seal(secret, PUBLIC, SEED, context)
    assert sealing.unseal(sealed, PRIVATE) == secret
    # Any program with libsodium can open it.
    box = SealedBox(PrivateKey(PRIVATE))
    assert box.decrypt(base64.b64decode(sealed)).decode() == secret


@given(secrets, st.text(max_size=8))
def test_sealing_again_gives_the_same_text(secret: str, context: str) -> None:
    assert sealing.seal(secret, PUBLIC, SEED, context) == sealing.seal(
        secret, PUBLIC, SEED, context
    )


def test_anything_else_gives_another_text() -> None:
    other_public = sealing.format_public_key(sealing.make_private_key())
    other_seed = sealing.make_seed()
    texts = [
        sealing.seal("secret", PUBLIC, SEED, "one"),
        sealing.seal("secret", PUBLIC, SEED, "two"),
        sealing.seal("secret", PUBLIC, other_seed, "one"),
        sealing.seal("secret", other_public, SEED, "one"),
        sealing.seal("secret2", PUBLIC, SEED, "one"),
        # Where the context ends and the secret begins is part of what is hashed.
        sealing.seal("esecret", PUBLIC, SEED, "on"),
    ]
    assert len({text[:42] for text in texts}) == len(texts), "an ephemeral key was used twice"
    assert not any("secret" in text for text in texts)


@given(secrets)
def test_another_chassis_cannot_open_it(secret: str) -> None:
    sealed = sealing.seal(secret, PUBLIC, SEED, "")
    with pytest.raises(ConfigError, match="not sealed for the key of this chassis"):
        sealing.unseal(sealed, b"x" * 32)


@given(st.one_of(st.text(max_size=100), st.binary(max_size=100).map(lambda raw: raw.hex())))
def test_rubbish_is_no_secret(text: str) -> None:
    with pytest.raises(ConfigError, match="not sealed for the key of this chassis"):
        sealing.unseal(text, PRIVATE)


@given(st.integers(0, 47), st.integers(1, 255))
def test_a_changed_box_is_not_opened(position: int, change: int) -> None:
    raw = bytearray(base64.b64decode(sealing.seal("secret", PUBLIC, SEED, "")))
    raw[position] ^= change
    with pytest.raises(ConfigError):
        sealing.unseal(base64.b64encode(raw).decode(), PRIVATE)


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("", "the public key of the chassis has 0 bytes instead of 32"),
        ("&&&&", "the public key of the chassis is not base64"),
        ("AAAA", "the public key of the chassis has 3 bytes instead of 32"),
        ("A" * 43 + "=", "nothing can be sealed to the public key of the chassis"),
        ("\u00e4", "the public key of the chassis is not base64"),
    ],
)
def test_a_bad_public_key_is_said(key: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sealing.seal("secret", key, SEED, "")
    assert str(caught.value) == sentence
    assert not sealing.is_public_key(key)


@pytest.mark.parametrize(
    ("seed", "sentence"),
    [
        ("AAAA", "the seal_seed has 3 bytes instead of 32"),
        ("not base64", "the seal_seed is not base64"),
    ],
)
def test_a_bad_seed_is_said(seed: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sealing.seal("secret", PUBLIC, seed, "")
    assert str(caught.value) == sentence
    assert not sealing.is_seed(seed)


@given(st.one_of(st.none(), st.text(max_size=60)))
def test_any_text_can_be_asked_about(text: str | None) -> None:
    usable = sealing.is_public_key(text)
    assert isinstance(usable, bool)
    if usable:
        assert text is not None
        sealing.seal("secret", text, SEED, "")
    assert isinstance(sealing.is_seed(text), bool)


# The points of small order that lib/sealing.py knows, and what is as they are in 255 bits.
_SMALL = sorted(
    point + field
    for point in sealing._SMALL_ORDER
    for field in (0, sealing._FIELD)
    if point + field < 2**255
)


def _is_sealed_to(point: int) -> bool:
    try:
        return bool(
            sealing.seal("", base64.b64encode(point.to_bytes(32, "little")).decode(), SEED, "")
        )
    except ConfigError:
        return False


@pytest.mark.parametrize("point", _SMALL)
@pytest.mark.parametrize("high", [0, 2**255])
def test_libsodium_seals_to_no_point_of_small_order(point: int, high: int) -> None:
    text = base64.b64encode((point + high).to_bytes(32, "little")).decode()
    assert not _is_sealed_to(point + high)
    assert not sealing.is_public_key(text)


@given(
    st.one_of(
        st.binary(min_size=32, max_size=32).map(lambda raw: int.from_bytes(raw, "little")),
        st.tuples(st.sampled_from(_SMALL), st.integers(-3, 3), st.sampled_from([0, 2**255])).map(
            lambda each: sum(each) % 2**256
        ),
        st.integers(2**255 - 32, 2**255 + 32),
        st.integers(2**256 - 32, 2**256 - 1),
    )
)
def test_a_key_is_usable_just_if_libsodium_seals_to_it(point: int) -> None:
    text = base64.b64encode(point.to_bytes(32, "little")).decode()
    assert sealing.is_public_key(text) == _is_sealed_to(point)


def test_what_is_made_is_usable_and_differs() -> None:
    assert sealing.is_seed(sealing.make_seed())
    assert sealing.make_seed() != sealing.make_seed()
    first, second = sealing.make_private_key(), sealing.make_private_key()
    assert len(first) == 32
    assert first != second
    assert sealing.is_public_key(sealing.format_public_key(first))
