"""A service type that fails in each of its methods, in turn, harms nobody, and its row says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .ovsdb import wait_until
from .rig import A, B, Rig, connect
from .wheels import build_wheel, install_wheel

TOLD = ("host.plan", "service.apply", "service.run", "service.wait", "service.status")


@pytest.fixture
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A chassis that can run the type 'broken', with a VPN beside it."""
    package = install_wheel(
        build_wheel("broken", tmp_path_factory.mktemp("wheel")), tmp_path_factory.mktemp("package")
    )
    made = Rig(tmp_path_factory.mktemp("rig"), packages=(package,))
    made.start()
    try:
        made.start_controller()
        wait_until(lambda: made.sb.rows("Chassis"), "the chassis to register")
        made.bind(A, connect(A, B))
        made.plug(A)
        made.wait_running(A)
        yield made
    finally:
        made.stop()


def set_failing(rig: Rig, *methods: str) -> None:
    (rig.packages[0] / "ovnsvc_broken" / "methods").write_text("\n".join(methods))


def bind(rig: Rig) -> None:
    rig.bind_type(B, "broken", "{}", {})


def wait_told(rig: Rig, sentence: str) -> None:
    wait_until(lambda: sentence in rig.binding(B)["status_message"], sentence, timeout_s=15)


def check_others(rig: Rig) -> None:
    """The other container is served: it takes a change."""
    rig.set_role(A, "active")
    rig.wait_running(A)


@pytest.mark.parametrize("method", TOLD)
def test_its_row_tells(rig: Rig, method: str) -> None:
    set_failing(rig, method)
    bind(rig)
    wait_told(rig, f"{method} fails")
    check_others(rig)
    set_failing(rig)
    bind(rig)
    rig.wait_running(B)
    check_others(rig)


def test_one_that_cannot_be_made(rig: Rig) -> None:
    set_failing(rig, "host.create")
    bind(rig)
    wait_told(rig, "host.create fails")
    check_others(rig)
    set_failing(rig)
    bind(rig)
    wait_until(lambda: rig.binding(B)["status_code"] == "running", "broken to run", timeout_s=30)


@pytest.mark.parametrize("method", ["api", "host_half", "host.probe"])
def test_one_that_cannot_be_loaded_or_probed(rig: Rig, method: str) -> None:
    rig.end_controller()
    set_failing(rig, method)
    rig.start_controller()
    check_others(rig)
    bind(rig)
    check_others(rig)


def test_one_that_does_not_end(rig: Rig) -> None:
    bind(rig)
    rig.wait_running(B)
    set_failing(rig, "service.stop")
    rig.unbind(B)
    check_others(rig)
    set_failing(rig)
    wait_until(
        lambda: not (rig.directory / "containers" / B.name).exists(), "it to go", timeout_s=30
    )
