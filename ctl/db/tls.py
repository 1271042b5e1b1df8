"""TLS for ssl: remotes, with the options that every program of Open vSwitch has for it."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

from ...lib.errors import UsageError

if TYPE_CHECKING:
    import ssl

# In the order of their age; a version that is not named is not spoken.
_PROTOCOLS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
# Instead of a CA's certificate: whoever answers is believed.
_NO_CA = "none"


class Tls:
    """The files that a connection to an ssl: remote needs.

    The certificate of the CA is that of 'ca_cert', of which "none" believes everybody;
    or that of 'bootstrap', which is made from what the first server sends.
    """

    __slots__ = ("bootstrap", "ca_cert", "certificate", "ciphers", "private_key", "protocols")

    def __init__(
        self,
        private_key: str | None = None,
        certificate: str | None = None,
        ca_cert: str | None = None,
        bootstrap: str | None = None,
        protocols: str | None = None,
        ciphers: str | None = None,
    ) -> None:
        self.private_key = private_key
        self.certificate = certificate
        self.ca_cert = ca_cert
        self.bootstrap = bootstrap
        self.protocols = protocols
        self.ciphers = ciphers

    def wrap(self, plain: socket.socket, remote: str) -> socket.socket:
        """Returns 'plain' under TLS; as in OVS the CA alone says who may answer."""
        import ssl

        if not (self.private_key and self.certificate and (self.ca_cert or self.bootstrap)):
            raise UsageError(f"{remote}: --private-key, --certificate and --ca-cert are required")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        if self.protocols:
            _choose_protocols(context, self.protocols)
        ca_cert = self.bootstrap or self.ca_cert
        is_first = bool(self.bootstrap) and not os.path.exists(self.bootstrap or "")
        if is_first or ca_cert == _NO_CA:
            context.verify_mode = ssl.CERT_NONE
        try:
            context.load_cert_chain(self.certificate, self.private_key)
            if context.verify_mode != ssl.CERT_NONE:
                context.load_verify_locations(ca_cert)
            if self.ciphers:
                context.set_ciphers(self.ciphers)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"TLS: the key, a certificate or the ciphers: {error}") from None
        connection = context.wrap_socket(plain)
        if is_first:
            _keep_ca(connection, remote, self.bootstrap or "")
        return connection


def _choose_protocols(context: ssl.SSLContext, text: str) -> None:
    """Lets 'context' speak the versions of TLS in 'text' only."""
    import ssl
    import warnings

    names = text.replace(",", " ").split()
    for name in names:
        if name not in _PROTOCOLS:
            raise UsageError(f"--ssl-protocols: {name} is none of {', '.join(_PROTOCOLS)}")
    if not names:
        raise UsageError("--ssl-protocols: no protocol is named")
    with warnings.catch_warnings():
        # That a version is old is for who names it to know.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        for name in _PROTOCOLS:
            if name not in names:
                context.options |= getattr(ssl, f"OP_NO_{name.replace('.', '_')}")


def _keep_ca(connection: Any, remote: str, path: str) -> None:
    """Writes the CA's certificate that a server has sent into a file that is not there yet.

    That this server may answer is believed once, as by ovn-nbctl.
    """
    import ssl

    # What ssl offers as get_unverified_chain() since Python 3.13.
    chain = connection._sslobj.get_unverified_chain() or []
    last = chain[-1].get_info() if chain else {}
    if len(chain) < 2 or last["issuer"] != last["subject"]:
        connection.close()
        raise UsageError(f"{remote}: the server sends no certificate of a CA for {path}")
    text = ssl.DER_cert_to_PEM_cert(chain[-1].public_bytes(2))
    try:
        with open(path, "x", encoding="ascii") as file:
            file.write(text)
    except OSError as error:
        connection.close()
        raise UsageError(f"--bootstrap-ca-cert={path}: {error.strerror}") from None
