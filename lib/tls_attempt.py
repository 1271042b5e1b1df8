"""One attempt to connect over TLS: with which files, and why it came to nothing, in words."""

from __future__ import annotations

import contextlib
import ssl
import time
from typing import Any

from . import tls, tls_words
from .certificate import Certificate, read_certificates, read_der
from .errors import HostError
from .small_file import read_small_file
from .tls import Keys

_CERTIFICATE_MESSAGE = 11  # RFC 8446, 4


class Attempt:
    """Reads the files of 'keys' as they are now; raises HostError for one that is wrong.

    'own' is the certificate that is presented to the server.
    """

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        try:
            self.context, self.own = tls.make_context(keys)
        except OSError as error:  # this process lacks descriptors or memory
            raise HostError(f"TLS: {error.strerror or error}") from None
        self._server: Certificate | None = None
        # What OpenSSL connects with is as the context is when it begins.
        self.context._msg_callback = self._note  # type: ignore[attr-defined]

    def explain(self, error: OSError) -> str:
        """Returns why the handshake failed."""
        if isinstance(error, ssl.SSLCertVerificationError):
            known = _read_authorities(self.keys)
            return tls_words.explain_server(error, self.keys, self._server, known, time.time())
        return tls_words.explain_handshake(error, self.keys, self.own, time.time())

    def explain_end(self, error: OSError | None) -> str:
        """Returns why a server ended the connection behind the handshake, before it answered."""
        return tls_words.explain_refusal(error, self.keys, self.own, time.time())

    def forget_server(self) -> None:
        """Listens no more to the handshake, which is over."""
        self.context._msg_callback = None  # type: ignore[attr-defined]

    def _note(self, *message: Any) -> None:
        """Takes the certificate that a server presents, believed or not."""
        # The arguments of SSL_CTX_set_msg_callback(3), as Python has them.
        _connection, direction, _version, _content, kind, data = message
        if direction == "read" and kind == _CERTIFICATE_MESSAGE and self._server is None:
            der = find_first_certificate(data)
            self._server = read_der(der) if der else None


def find_first_certificate(message: bytes) -> bytes:
    """Returns the first one in a Certificate message (RFC 5246, 7.4.2; RFC 8446, 4.4.2), in DER.

    b"" if there is none.
    """
    # Behind type and length; of TLS 1.3 a context stands before the list, which is empty here.
    for start in (4, 5):
        listed = int.from_bytes(message[start : start + 3], "big")
        if listed and start + 3 + listed == len(message):
            length = int.from_bytes(message[start + 3 : start + 6], "big")
            return message[start + 6 : start + 6 + length]
    return b""


def _read_authorities(keys: Keys) -> list[Certificate]:
    with contextlib.suppress(OSError):
        return read_certificates(read_small_file(keys.ca_cert))
    return []
