"""The program: server.py SETTINGS TOKEN STATUS, each a file.

A client sends the token in a line; it gets the greeting, and each line back.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import sys
from typing import Any


class Server:
    """Counts what it does, and writes that to the status file when it changes."""

    def __init__(self, settings: dict[str, Any], token: str, status_path: str) -> None:
        self.settings = settings
        self.token = token
        self.status_path = status_path
        self.sessions = 0
        self.served = 0
        self.refused = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one client."""
        sent = b""
        try:
            sent = await reader.readline()
            if sent and hmac.compare_digest(sent.strip(), self.token.encode()):
                await self._serve(reader, writer)
            elif sent:
                self.refused += 1
        except (OSError, ValueError):
            pass  # the client is gone, or sent a line without an end
        finally:
            writer.close()
            if sent:  # not one that only looks whether somebody listens
                self.tell()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        self.served += 1
        self.tell()
        try:
            writer.write(f"{self.settings['greeting']}\n".encode())
            while line := await reader.readline():
                writer.write(line)
                await writer.drain()
        finally:
            self.sessions -= 1

    def tell(self) -> None:
        """Writes the status file."""
        item = {
            "kind": "echo",
            "name": f"port {self.settings['port']}",
            "state": "serving",
            "message": f"greets with {self.settings['greeting']}",
            "counters": {"served": self.served, "refused": self.refused},
        }
        content = {"items": [item], "metrics": {"sessions": self.sessions, "served": self.served}}
        with open(f"{self.status_path}.new", "w", encoding="utf-8") as file:
            json.dump(content, file)
        os.replace(f"{self.status_path}.new", self.status_path)


async def main(settings_path: str, token_path: str, status_path: str) -> None:
    """Serves until it is ended."""
    with open(settings_path, encoding="utf-8") as file:
        settings = json.load(file)
    with open(token_path, encoding="utf-8") as file:
        token = file.read()
    server = Server(settings, token, status_path)
    listener = await asyncio.start_server(server.answer, None, settings["port"])
    server.tell()
    async with listener:
        await listener.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
