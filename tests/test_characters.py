"""Texts of any characters arrive, however the stream is cut; python-ovs alone drops it."""

from __future__ import annotations

import codecs
import json
import socket
from functools import partial
from itertools import pairwise

import ovs.jsonrpc
import ovs.stream
from hypothesis import given
from hypothesis import strategies as st

from ..lib import characters, sb
from ..lib.idl import Session
from .ovsdb import Databases
from .sessions import Sessions

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXT = st.text(CHARACTERS, min_size=1, max_size=50)


@given(text=TEXT, data=st.data())
def test_what_is_cut_off_is_the_beginning_of_one_character(text: str, data: st.DataObject) -> None:
    encoded = text.encode()
    end = data.draw(st.integers(0, len(encoded)))
    whole = characters.find_end(encoded[:end])
    decoder = codecs.getincrementaldecoder("utf-8")()
    decoder.decode(encoded[:end])
    assert end - whole == len(decoder.getstate()[0])
    assert text.startswith(encoded[:whole].decode())


@given(text=TEXT, data=st.data())
def test_a_message_arrives_in_whatever_pieces_it_comes(text: str, data: st.DataObject) -> None:
    message = {"id": None, "method": "say", "params": [text]}
    encoded = json.dumps(message, ensure_ascii=False).encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(encoded)), max_size=5)) | {0, len(encoded)})
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        connection = ovs.jsonrpc.Connection(ovs.stream.Stream(ours, "test", 0))
        received = None
        for start, end in pairwise(cuts):
            theirs.sendall(encoded[start:end])
            error, received = connection.recv()
            assert (error == 0) == (received is not None)
    assert received is not None
    assert received.params == [text]


def test_no_text_ends_the_connection_of_who_reads_it(
    databases: Databases, sessions: Sessions
) -> None:
    session = sessions.open(databases.sb, sb.RedirectFlow)
    first = session.connection
    databases.sb.insert("Redirect_Flow", name="", ip_version=4, action="drop")
    # More than a socket holds, so that it comes in pieces.
    for number in range(10):
        text = "x" * number + "\u20ac" * 300_000
        databases.sb.update("Redirect_Flow", [], name=text)
        sessions.wait_for(partial(_reads, session, text), "the text")
    assert session.connection == first


def _reads(session: Session, text: str) -> bool:
    return [row.name for row in session.rows(sb.RedirectFlow).values()] == [text]
