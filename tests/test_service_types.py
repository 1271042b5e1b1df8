"""Which service types svc-northd has: one that cannot be used is told, and the others are there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from ..northd.service_types import load_halves
from ..services.api import API
from ..services.api.service_type import load_service_types
from .failing_types import Failing, OwnHalf, RoutedHalf


class Prefixed(Failing):
    """A type with units of its own and a prefix that is none."""

    prefix = "Own-"
    units = RoutedHalf().units
    compile = find_secrets = RoutedHalf.compile


class Loaded:
    """A services.api ServiceType with one half."""

    api = API

    def __init__(self, half: Any) -> None:
        self.half = half

    def compile_half(self) -> Any:
        if isinstance(self.half, Exception):
            raise self.half
        return self.half


def test_a_half_that_cannot_be_used_is_told_and_the_others_are_loaded() -> None:
    own = OwnHalf()
    types: dict[str, Any] = {
        "own": Loaded(own),
        "prefixed": Loaded(Prefixed("prefixed")),
        "empty": Loaded(object()),
        "raising": Loaded(RuntimeError("no")),
    }
    halves, problems = load_halves(types)
    assert halves == {"own": own}
    assert problems == [
        "service type empty cannot be compiled: its compile half has no tables",
        "service type prefixed cannot be compiled:"
        " its prefix 'Own-' is not one to three lower-case letters",
        "service type raising cannot be compiled: RuntimeError('no')",
    ]


def install(directory: Path, package: str, api: int) -> None:
    """Makes a package that has the type 'twin', as if its wheel were installed."""
    metadata = directory / f"{package}-1.dist-info"
    metadata.mkdir()
    (directory / f"{package}.py").write_text(f"class Type:\n    api = {api}\nTYPE = Type()\n")
    text = f"[ovnsvc.service_types]\ntwin = {package}:TYPE\n"
    (metadata / "entry_points.txt").write_text(text)


def test_another_api_and_a_name_that_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for package, api in (("twin_a", API + 1), ("twin_b", API), ("twin_c", API)):
        install(tmp_path, package, api)
    try:
        types, problems = load_service_types(["twin", "ipsec"])
        assert type(types["twin"]).__module__ == "twin_b"
    finally:
        for package in ("twin_a", "twin_b", "twin_c"):
            sys.modules.pop(package, None)
    assert problems == [
        f"service type twin was written for version {API + 1} of services/api;"
        f" this is version {API}",
        "service type twin is installed twice; the first is used",
    ]
    assert sorted(types) == ["ipsec", "twin"]
