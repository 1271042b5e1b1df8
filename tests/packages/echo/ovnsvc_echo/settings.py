"""What Service_Container:configuration says of an echo server, checked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ovnsvc.lib.addresses import parse_address, parse_subnet, quote
from ovnsvc.lib.errors import ConfigError

KEYS = {
    "router": "name or UUID of the router of OVN that it is on",
    "address": "address outside by which it is reached",
    "port": "TCP port (7)",
    "greeting": "line that each client is sent first (hello)",
    "destination": "subnet to which TCP connections on 'port' are answered by it",
}
REQUIRED = ("router", "address", "destination")
TOKEN = "token"
_MAX_GREETING = 200


@dataclass(frozen=True, slots=True)
class Settings:
    """One echo server."""

    router: str
    address: str
    destination: str
    port: int
    greeting: str


def parse(configuration: Mapping[str, str]) -> Settings:
    """Returns the settings; raises ConfigError that says what is wrong, and with what."""
    unknown = sorted(configuration.keys() - KEYS.keys())
    if unknown:
        raise ConfigError(f"service type echo has no key {quote(unknown[0])}")
    for key in REQUIRED:
        if not configuration.get(key):
            raise ConfigError(f"{key} is missing")
    return Settings(
        router=configuration["router"],
        address=str(_parse("address", parse_address, configuration)),
        destination=str(_parse("destination", parse_subnet, configuration)),
        port=_parse_port(configuration.get("port", "7")),
        greeting=_parse_greeting(configuration.get("greeting", "hello")),
    )


def find_problem(key: str, text: str) -> str | None:
    """Returns why the value of a key cannot be, None if it can."""
    try:
        _PARSERS.get(key, str)(text)
    except ConfigError as error:
        return str(error)
    return None


def _parse(key, parse_text, configuration):  # type: ignore[no-untyped-def]
    try:
        return parse_text(configuration[key])
    except ConfigError as error:
        raise ConfigError(f"{key}: {error}") from error


def _parse_port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 65535):
        raise ConfigError(f"port {quote(text)} is not in 1..65535")
    return int(text)


def _parse_greeting(text: str) -> str:
    if len(text) > _MAX_GREETING or not text.isprintable():
        raise ConfigError(f"greeting is not a line of up to {_MAX_GREETING} characters")
    return text


_PARSERS = {
    "address": parse_address,
    "destination": parse_subnet,
    "port": _parse_port,
    "greeting": _parse_greeting,
}
