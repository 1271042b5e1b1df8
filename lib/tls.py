"""TLS of a client as every program of Open vSwitch has it (lib/stream-ssl.c).

For the daemons (tls_stream.py) and svcctl (ctl/db/tls.py), of which each import is a part of
the time of a command.  As there, a CA alone says who may answer: no name is compared.
"""

from __future__ import annotations

import os
import ssl
import warnings
from typing import Any, NamedTuple

from .certificate import Certificate, read_certificates
from .errors import HostError, UsageError
from .memory_file import name_bytes
from .small_file import read_small_file

# In the order of their age; a version that is not named is not spoken.
PROTOCOLS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
# Instead of a CA's certificate: whoever answers is believed.
NO_CA = "none"
_LONGEST_PATH = 200
OPTIONS = ("--private-key", "--certificate", "--ca-cert")


class Keys(NamedTuple):
    """The files that a connection to an ssl: remote needs, read anew for each.

    With 'bootstrap' the certificate of the CA is taken from the first server that
    answers, if its file is not there.  No 'protocols' and no 'ciphers' are those that
    OpenSSL has.  'names' are what the files are called where they were set, 'or_else' where
    else they could be.
    """

    private_key: str = ""
    certificate: str = ""
    ca_cert: str = ""
    bootstrap: bool = False
    protocols: tuple[str, ...] = ()
    ciphers: str = ""
    names: tuple[str, str, str] = OPTIONS
    or_else: str = ""

    @property
    def files(self) -> tuple[str, str, str]:
        """The names of the files, as 'names' has what they are called."""
        return self.private_key, self.certificate, self.ca_cert

    @property
    def complete(self) -> bool:
        """Whether each file has a name."""
        return all(self.files)

    @property
    def is_first(self) -> bool:
        """Whether the certificate of the CA is yet to be taken from a server."""
        return self.bootstrap and not os.path.lexists(self.ca_cert)


def format_path(path: str) -> str:
    """Returns a path for a sentence: as it is, unless that would be no line to read."""
    text = path if path.isascii() and path.isprintable() else ascii(path)
    return text if len(text) <= _LONGEST_PATH else f"{text[:_LONGEST_PATH]}..."


def parse_protocols(text: str) -> tuple[str, ...]:
    """Returns the protocols in 'text', separated by commas or spaces; raises UsageError."""
    names = text.replace(",", " ").split()
    for name in names:
        if name not in PROTOCOLS:
            raise UsageError(f"--ssl-protocols: {name} is none of {', '.join(PROTOCOLS)}")
    if not names:
        raise UsageError("--ssl-protocols: no protocol is named")
    return tuple(names)


def check_ciphers(text: str) -> None:
    """Raises UsageError if OpenSSL knows none of the ciphers in 'text' (openssl-ciphers(1))."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_ciphers(text)
    except (ssl.SSLError, ValueError):
        raise UsageError("--ssl-ciphers: No cipher can be selected") from None


def make_context(keys: Keys) -> tuple[ssl.SSLContext, Certificate]:
    """Returns the context of one connection, and the certificate that it presents.

    Raises HostError with a sentence on the file that is wrong.
    """
    missing = [name for name, path in zip(keys.names, keys.files, strict=True) if not path]
    if missing:
        raise HostError(f"TLS needs {' and '.join(missing)}{keys.or_else}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if keys.protocols:
        _choose_protocols(context, keys.protocols)
    if keys.ciphers:
        context.set_ciphers(keys.ciphers)
    certificate = _load_own(context, keys)
    if keys.is_first or keys.ca_cert == NO_CA:
        context.verify_mode = ssl.CERT_NONE
    else:
        _load_ca(context, keys)
    return context, certificate


def _choose_protocols(context: ssl.SSLContext, names: tuple[str, ...]) -> None:
    """Lets 'context' speak the versions of TLS in 'names' only."""
    with warnings.catch_warnings():
        # That a version is old is for who names it to know.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        for name in PROTOCOLS:
            if name not in names:
                context.options |= getattr(ssl, f"OP_NO_{name.replace('.', '_')}")


def _load_own(context: ssl.SSLContext, keys: Keys) -> Certificate:
    key_file = f"{keys.names[0]} {format_path(keys.private_key)}"
    certificate_file = f"{keys.names[1]} {format_path(keys.certificate)}"
    key = _read(key_file, keys.private_key)
    certificate = _read(certificate_file, keys.certificate)
    found = read_certificates(certificate)
    if not found:
        raise HostError(f"{certificate_file} has no certificate in PEM")
    with name_bytes(key) as first, name_bytes(certificate) as second:
        try:
            # Without a password OpenSSL would ask for one at the terminal.
            context.load_cert_chain(second, first, password="")
        except ssl.SSLError as error:
            raise HostError(
                _explain(error, key, key_file, f"{certificate_file} ({found[0]})")
            ) from None
        except OSError as error:
            raise HostError(f"{key_file}: {error.strerror or error}") from None
    return found[0]


def _explain(error: ssl.SSLError, key: bytes, key_file: str, certificate_file: str) -> str:
    if error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
        return f"{key_file} is not the key of {certificate_file}: the two must be of one pair"
    if b"ENCRYPTED" in key:
        return f"{key_file} is encrypted, and there is nobody to ask for its password"
    if error.reason in ("EE_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "CA_KEY_TOO_SMALL"):
        return f"{certificate_file} is too weak for OpenSSL ({error.reason.lower()})"
    if b"PRIVATE KEY-----" not in key:
        return f"{key_file} has no private key in PEM"
    return f"{key_file} or {certificate_file} cannot be used: {error.reason or error}"


def _load_ca(context: ssl.SSLContext, keys: Keys) -> None:
    ca_file = f"{keys.names[2]} {format_path(keys.ca_cert)}"
    with name_bytes(_read(ca_file, keys.ca_cert)) as path:
        try:
            context.load_verify_locations(path)
        except (ssl.SSLError, OSError):
            raise HostError(f"{ca_file} has no certificate of a CA in PEM") from None


def _read(name: str, path: str) -> bytes:
    try:
        return read_small_file(path)
    except OSError as error:
        raise HostError(f"{name} cannot be read: {error.strerror}") from None


def keep_ca(connection: Any, keys: Keys) -> None:
    """Writes the CA's certificate that a server has sent into a file that is not there yet.

    That this server may answer is believed once, as by ovn-nbctl.  Raises HostError.
    """
    path = format_path(keys.ca_cert)
    # What ssl offers as get_unverified_chain() since Python 3.13.
    chain = connection._sslobj.get_unverified_chain() or []
    last = chain[-1].get_info() if chain else {}
    if len(chain) < 2 or last["issuer"] != last["subject"]:
        raise HostError(f"the server sends no certificate of a CA for {path}")
    text = ssl.DER_cert_to_PEM_cert(chain[-1].public_bytes(2))
    try:
        with open(keys.ca_cert, "x", encoding="ascii") as file:
            file.write(text)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", "") or "no file can have that name"
        raise HostError(f"{keys.names[2]}={path}: {reason}") from None
