"""Sessions over TLS with real ovsdb-servers: each mistake is a sentence, and heals."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import resource
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import ovs.poller
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..lib import characters, nb, schema, tls_stream, tls_words
from ..lib.certificate import read_der
from ..lib.expiry import Expiry
from ..lib.idl import Session
from ..lib.tls import Keys
from ..lib.tls_attempt import find_first_certificate
from .logs import Logs
from .ovsdb import Database
from .pki import Authority, Issued, Server, replace
from .sessions import Sessions


@dataclasses.dataclass
class World:
    """Two authorities, a server of one of them, and a client of the other."""

    directory: Path
    servers: Authority
    clients: Authority
    server_keys: Issued
    client: Issued
    server: Server
    sessions: Sessions

    @property
    def keys(self) -> Keys:
        return Keys(str(self.client.key), str(self.client.certificate), str(self.servers.path))

    def connect(self, *remotes: str) -> Session:
        """Returns a session that was begun with the server, or with 'remotes'."""
        made = Session(
            ",".join(remotes or [self.server.remote]),
            schema.NORTHBOUND,
            (nb.SVCGlobal,),
            schema=schema.load(schema.NORTHBOUND),
        )
        self.sessions.opened.append(made)
        return made

    def wait_for_trouble(self, session: Session, words: str) -> str:
        self.sessions.wait_for(lambda: words in session.trouble, words)
        return session.trouble

    def wait_for_sync(self, session: Session) -> None:
        self.sessions.wait_for(lambda: session.synced and session.connected, "the first sync")


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory, tls_streams: None) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("tls")
    database = Database(directory, schema.NORTHBOUND)
    database.stop()
    servers, clients = Authority(directory, "controllers"), Authority(directory, "switches")
    server_keys, client = servers.issue("central"), clients.issue("hv1")
    server = Server(directory / f"{schema.NORTHBOUND}.db", server_keys, clients.path)
    made = World(directory, servers, clients, server_keys, client, server, Sessions())
    tls_stream.use(made.keys)
    yield made
    made.sessions.close()
    server.stop()


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A certificate in DER."""
    made = Authority(tmp_path_factory.mktemp("issued"), "switches").issue("hv1")
    return ssl.PEM_cert_to_DER_cert(made.certificate.read_text())


def test_a_session_over_tls(world: World, logs: Logs) -> None:
    session = world.connect()
    world.wait_for_sync(session)
    assert not session.trouble
    own = tls_stream.find_own_certificate()
    assert own is not None
    assert (own.name, own.issuer) == ("CN hv1", "CN switches")
    assert not logs.find_warnings()


# By name what is wrong, how it is mended, and what is said of it.
_MISTAKES: dict[str, tuple[Callable[[World], object], Callable[[World], object], str]] = {
    "no certificate": (
        lambda it: it.client.certificate.unlink(),
        lambda it: it.clients.issue("hv1"),
        "hv1-cert.pem cannot be read: No such file or directory",
    ),
    "no key": (
        lambda it: it.client.key.unlink(),
        lambda it: it.clients.issue("hv1"),
        "hv1-privkey.pem cannot be read: No such file or directory",
    ),
    "no CA": (
        lambda it: it.servers.path.rename(it.directory / "kept"),
        lambda it: (it.directory / "kept").rename(it.servers.path),
        "--ca-cert {ca} cannot be read: No such file or directory",
    ),
    "a CA of garbage": (
        lambda it: (
            (it.directory / "kept").write_bytes(it.servers.path.read_bytes()),
            it.servers.path.write_text("garbage"),
        ),
        lambda it: (it.directory / "kept").rename(it.servers.path),
        "--ca-cert {ca} has no certificate of a CA in PEM",
    ),
    "another key": (
        lambda it: replace({it.client.key: it.clients.issue("hv2").key.read_bytes()}),
        lambda it: it.clients.issue("hv1"),
        "is not the key of --certificate",
    ),
    "a certificate of garbage": (
        lambda it: it.client.certificate.write_text("garbage"),
        lambda it: it.clients.issue("hv1"),
        "hv1-cert.pem has no certificate in PEM",
    ),
    "a key of garbage": (
        lambda it: it.client.key.write_text("garbage"),
        lambda it: it.clients.issue("hv1"),
        "hv1-privkey.pem has no private key in PEM",
    ),
    "ours ended": (
        lambda it: it.clients.issue("hv1", begins=-9, days=2),
        lambda it: it.clients.issue("hv1"),
        "our certificate {certificate} (CN hv1, issued by CN switches), which ended 20",
    ),
    "ours is not begun": (
        lambda it: it.clients.issue("hv1", begins=9),
        lambda it: it.clients.issue("hv1"),
        "our certificate {certificate} (CN hv1, issued by CN switches), which does not begin"
        " before 20",
    ),
    "ours is of another CA": (
        lambda it: it.servers.issue("hv1", to="switches-hv1"),
        lambda it: it.clients.issue("hv1"),
        "our certificate {certificate} (CN hv1, issued by CN controllers)",
    ),
    "the server's is of another CA": (
        lambda it: it.clients.issue("hv2", to="controllers-central"),
        lambda it: [it.servers.issue("central"), it.server.restart()],
        "the server's certificate (CN hv2, issued by CN switches) is not issued by the CA of"
        " --ca-cert {ca} (CN controllers)",
    ),
    "the server's ended": (
        lambda it: it.servers.issue("central", begins=-9, days=2),
        lambda it: [it.servers.issue("central"), it.server.restart()],
        "the server's certificate (CN central, issued by CN controllers) ended 20",
    ),
}


@pytest.mark.parametrize("mistake", _MISTAKES)
def test_a_mistake_is_told_once_and_mended_by_mending_it(
    world: World, logs: Logs, mistake: str
) -> None:
    break_it, mend, words = _MISTAKES[mistake]
    break_it(world)
    world.server.restart()
    words = words.format(ca=world.servers.path, certificate=world.client.certificate)
    session = world.connect()
    world.wait_for_trouble(session, words)
    told = logs.count(words)
    attempts = _count_attempts(session)
    world.sessions.wait_for(lambda: _count_attempts(session) >= attempts + 1, "another attempt")
    assert logs.count(words) == told == 1, logs.messages
    mend(world)
    world.wait_for_sync(session)
    assert logs.count("what was wrong is mended") == 1
    # Nothing else was said of it.
    assert [each for each in logs.find_warnings() if words not in each] == []


def _count_attempts(session: Session) -> int:
    assert session._connection is not None
    reconnect = session._connection._session.reconnect
    return int(reconnect.get_stats(0).n_attempted_connections)


def test_the_second_remote_is_tried_when_the_first_is_bad(world: World, logs: Logs) -> None:
    strangers = Authority(world.directory, "strangers")
    database = Database(world.directory, schema.SOUTHBOUND)
    database.stop()
    bad = Server(
        world.directory / f"{schema.SOUTHBOUND}.db", strangers.issue("central"), world.clients.path
    )
    try:
        # Which is tried first is chosen by chance.
        for session in [world.connect(bad.remote, world.server.remote) for _ in range(6)]:
            world.wait_for_sync(session)
        assert logs.count("CN central, issued by CN strangers) is not issued by the CA of") == 1
    finally:
        bad.stop()


def test_a_server_that_never_answers_costs_nothing(world: World, logs: Logs) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        session = world.connect(f"ssl:127.0.0.1:{port}")
        passes = 0
        while tls_words.SILENT not in session.trouble:
            poller = ovs.poller.Poller()
            session.run()
            session.wait(poller)
            poller.block()
            passes += 1
        assert passes < 20
        assert session.trouble == f"ssl:127.0.0.1:{port}: {tls_words.SILENT}"
        assert logs.count(tls_words.SILENT) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b'{"id":"echo","method":"echo","params":[]}', "what answers there speaks no TLS"),
        (b"", "the server closed the connection in the handshake of TLS"),
    ],
)
def test_a_server_without_tls_is_told(world: World, answer: bytes, words: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:
        plain.setblocking(False)
        session = world.connect(f"ssl:127.0.0.1:{plain.getsockname()[1]}")
        greeted: list[socket.socket] = []

        def answer_hello() -> bool:
            with contextlib.suppress(BlockingIOError):
                greeted.append(plain.accept()[0])
            for connection in greeted[:]:
                connection.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    connection.recv(1 << 16)
                    connection.sendall(answer)
                    connection.close()
                    greeted.remove(connection)
            return words in session.trouble

        world.sessions.wait_for(answer_hello, words)


def test_keys_that_are_not_set_are_told_and_may_come(world: World) -> None:
    tls_stream.use(Keys())
    session = world.connect()
    world.wait_for_trouble(session, "TLS needs --private-key and --certificate and --ca-cert")
    tls_stream.use(world.keys)
    world.wait_for_sync(session)


def test_replaced_keys_are_taken_at_the_next_connection(world: World) -> None:
    session = world.connect()
    world.wait_for_sync(session)
    number = session.connection
    # Another CA on either side, another key, everything at once.
    servers, clients = Authority(world.directory, "new"), Authority(world.directory, "newer")
    pairs = ((world.servers, servers), (world.clients, clients))
    replace({old.path: new.path.read_bytes() for old, new in pairs})
    servers.issue("central", to="controllers-central")
    clients.issue("hv1", to="switches-hv1")
    second = world.connect()
    world.wait_for_sync(second)
    assert session.connection == number
    assert session.connected
    own = tls_stream.find_own_certificate()
    assert own is not None
    assert own.issuer == "CN newer"


def test_the_ca_of_the_first_server_is_taken(world: World, logs: Logs) -> None:
    path = world.directory / "bootstrapped.pem"
    tls_stream.use(world.keys._replace(ca_cert=str(path), bootstrap=True))
    world.server.stop()
    session = world.connect()
    world.sessions.wait_for(lambda: tls_stream.find_own_certificate() is not None, "an attempt")
    # A file that is yet to be made is not missing.
    assert "will fail" not in "".join(Expiry().find_warnings(0, time.time()))
    world.server.start()
    world.wait_for_sync(session)
    assert path.read_bytes() == world.servers.path.read_bytes()
    assert logs.count(f"its CA is believed from here on; {path} has it") == 1


def test_none_believes_everybody_and_says_so(world: World, logs: Logs) -> None:
    tls_stream.use(world.keys._replace(ca_cert="none"))
    world.wait_for_sync(world.connect())
    assert logs.count("whoever answers is believed (this is a security risk)") == 1


def test_protocols_and_ciphers(world: World) -> None:
    tls_stream.use(world.keys._replace(protocols=("TLSv1.2",), ciphers="HIGH"))
    world.wait_for_sync(world.connect())
    tls_stream.use(world.keys._replace(protocols=("TLSv1.1",)))
    words = "none of the protocols and ciphers that are offered (--ssl-protocols TLSv1.1 here)"
    world.wait_for_trouble(world.connect(), words)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (os.mkdir, "it is not a plain file"),
        (os.mkfifo, "it is not a plain file"),
        (lambda path: os.symlink("/dev/zero", path), "it is not a plain file"),
        (lambda path: os.symlink(path, path), "Too many levels of symbolic links"),
        (lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_RDWR), 1 << 40), "more than"),
        (lambda path: Path(path).write_bytes(b""), "has no"),
        (lambda path: Path(path).write_bytes(b"\0\xff" * 999), "has no"),
    ],
)
def test_files_that_are_none_harm_nothing(
    world: World, make: Callable[[str], object], words: str
) -> None:
    path = str(world.directory / "odd")
    make(path)
    for which in ("private_key", "certificate", "ca_cert"):
        tls_stream.use(world.keys._replace(**{which: path}))  # type: ignore[arg-type]
        trouble = world.wait_for_trouble(world.connect(), words)
        assert f"--{which.replace('_', '-')} {path}" in trouble


@pytest.mark.parametrize("path", ["\0", "a\0b", "\ud800", "x" * 5000, "/proc/self/mem"])
def test_names_that_no_file_has_harm_nothing(world: World, path: str) -> None:
    tls_stream.use(world.keys._replace(private_key=path))
    trouble = world.wait_for_trouble(world.connect(), "--private-key ")
    assert trouble.isprintable()
    tls_stream.use(world.keys._replace(ca_cert=path, bootstrap=True))
    assert world.wait_for_trouble(world.connect(), "--ca-cert").isprintable()


@given(st.text(max_size=20), st.data())
def test_text_is_cut_between_characters(text: str, data: st.DataObject) -> None:
    whole = text.encode("utf-8", "ignore")
    rest, found = b"", ""
    while whole:
        size = data.draw(st.integers(1, len(whole)))
        piece, whole = rest + whole[:size], whole[size:]
        end = characters.find_end(piece)
        found += piece[:end].decode()
        rest = piece[end:]
    assert found == text.encode("utf-8", "ignore").decode()


def test_a_process_without_descriptors_tries_again(world: World) -> None:
    session = world.connect()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = os.open(os.devnull, os.O_RDONLY)
    os.close(spare)
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, before[1]))
    try:
        world.wait_for_trouble(session, "Too many open files")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    world.wait_for_sync(session)


@given(st.data())
def test_any_certificate_is_read_or_none(issued: bytes, data: st.DataObject) -> None:
    der = bytearray(issued)
    for _ in range(data.draw(st.integers(1, 4))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    found = read_der(bytes(der))
    assert found is None or str(found).isprintable()


@given(st.binary(max_size=64))
def test_any_message_of_a_handshake_is_survived(message: bytes) -> None:
    assert isinstance(find_first_certificate(message), bytes)
