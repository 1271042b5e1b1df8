"""Certificate authorities, certificates and keys for tests, and servers that speak TLS."""

from __future__ import annotations

import datetime
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .ovsdb import wait_until
from .tls import find_free_port, is_listening

_DAY = datetime.timedelta(days=1)


class Authority:
    """A CA; its own certificate is in 'path'."""

    def __init__(self, directory: Path, name: str, *, days: float = 30, begins: float = 0) -> None:
        self.directory, self.name = directory, name
        self.path = directory / f"{name}-ca.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.path.write_bytes(self._sign(name, self._key, begins, days, is_ca=True))

    def issue(self, name: str, *, begins: float = 0, days: float = 20, to: str = "") -> Issued:
        """Returns the key and certificate of 'name', which counts from and for so many days.

        The files are those of 'to', replaced at once, where that is given.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        made = Issued(self.directory / (to or f"{self.name}-{name}"), self.path)
        text = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        replace({made.key: text, made.certificate: self._sign(name, key, begins, days)})
        return made

    def _sign(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        begins: float,
        days: float,
        is_ca: bool = False,
    ) -> bytes:
        # A minute ago, for a clock that steps a little.
        now = datetime.datetime.now(datetime.timezone.utc) - _DAY / 1440
        first, last = now + begins * _DAY, now + (begins + days) * _DAY
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(first)
            .not_valid_after(last)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM)


class Issued:
    """A key and its certificate."""

    def __init__(self, base: Path, authority: Path) -> None:
        self.authority = authority
        self.key = Path(f"{base}-privkey.pem")
        self.certificate = Path(f"{base}-cert.pem")

    def options(self, ca: Path) -> list[str]:
        """Returns these as options of a program, with 'ca'."""
        return [
            f"--private-key={self.key}",
            f"--certificate={self.certificate}",
            f"--ca-cert={ca}",
        ]


def replace(contents: Mapping[Path, bytes]) -> None:
    """Puts files in their places at once, as whoever replaces keys should.

    A server that looks between two of a pair (3.1) has the old ones until both change again.
    """
    for path, content in contents.items():
        Path(f"{path}.new").write_bytes(content)
    for path in contents:
        os.replace(f"{path}.new", path)


class Server:
    """An ovsdb-server that listens at pssl:, until stop(); 'remote' is where."""

    def __init__(self, database: Path, keys: Issued, ca: Path) -> None:
        self._database, self._keys, self._ca = database, keys, ca
        self._port = find_free_port()
        self.remote = f"ssl:127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        """Starts it, and returns when it listens."""
        base = self._database.with_suffix("")
        self.process = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", "--", "ovsdb-server"),
                *("-vconsole:off", "-vsyslog:off", "-vfile:info"),
                *(f"--remote=pssl:{self._port}:127.0.0.1", f"--unixctl={base}.tls.ctl"),
                *(f"--log-file={base}.tls.log", *self._keys.options(self._ca)),
                # It sends its CA's certificate, which --bootstrap-ca-cert of a client takes.
                *(f"--peer-ca-cert={self._keys.authority}", str(self._database)),
            ]
        )
        wait_until(lambda: is_listening(self._port), "the server")

    def restart(self) -> bool:
        """Another one takes its place: one that runs looks at its keys only now and then."""
        self.stop()
        self.start()
        return True

    def stop(self) -> None:
        """Ends it, as a crash would."""
        self.process.kill()
        self.process.wait()
