"""Keyed digests of what a program was given, so that a service that takes it over can compare.

The key is random, stands in the state directory and goes with the container:
without it a guess of a secret cannot be tested against a digest.
"""

from __future__ import annotations

import hashlib
import json
import os

from ...lib import state_file

_KEY_BYTES = 32


def load_key(directory: str) -> bytes:
    """Returns the key of the container whose state directory it is; makes it (0600)."""
    path = os.path.join(directory, "digest.key")
    key = state_file.read(path)
    if key is None or len(key) != _KEY_BYTES:
        key = os.urandom(_KEY_BYTES)
        state_file.write(path, key)
    return key


def make_digest(content: object, key: bytes) -> str:
    """Returns the digest of 'content', which JSON can hold."""
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), key=key).hexdigest()
