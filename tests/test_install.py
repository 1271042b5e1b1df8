"""utilities/install enables nothing for the next boot.  What apt and dpkg do is played."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# As the scripts of the packages do it: the links of 'systemctl enable', and of update-rc.d.
_APT = """#!/bin/sh
case "$*" in *install*)
    echo "$@" > "$PLACE/asked"
    ln -s /lib/systemd/system/strongswan.service /etc/systemd/system/multi-user.target.wants/
    ln -s /lib/systemd/system/strongswan.service /etc/systemd/system/strongswan-swanctl.service
    ln -s /dev/null /etc/systemd/system/masked.service
    test ! -e "$PLACE/fails" || exit 1 ;;
esac
"""
_SCRIPT = """
mount -t tmpfs tmpfs /etc/systemd/system
mount -t tmpfs tmpfs /var/cache
mkdir /etc/systemd/system/multi-user.target.wants
ln -s /lib/systemd/system/ovn-host.service /etc/systemd/system/multi-user.target.wants/
test ! -e /usr/sbin/policy-rc.d || mount --bind /bin/false /usr/sbin/policy-rc.d
"$PLACE/utilities/install" "$@"
echo "= $?"
find /etc/systemd/system -type l | sed 's,.*/,,' | sort
ls -A /var/cache/ovnsvc
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A checkout of which everything is there but Debian's packages."""
    (tmp_path / "utilities").mkdir()
    shutil.copy(ROOT / "utilities" / "install", tmp_path / "utilities")
    digest = hashlib.sha256()
    for name in ("setup.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
        digest.update((tmp_path / name).read_bytes())
    programs = {".venv/bin/pip": "#!/bin/sh\n", "bin/apt-get": _APT, "bin/dpkg": "#!/bin/sh\n"}
    for path, text in (programs | {"bin/dpkg-query": "#!/bin/sh\nexit 1\n"}).items():
        program = tmp_path / path
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(text)
        program.chmod(0o755)
    (tmp_path / ".venv" / "installed-at").write_text(f"{tmp_path}\n")
    (tmp_path / ".venv" / "installed-from").write_text(f"{digest.hexdigest()} \n")
    return tmp_path


def install(place: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Runs it where what is enabled on this machine is not seen."""
    command = ["unshare", "--mount", "--propagation=private", "sh", "-uc", _SCRIPT, "sh", *options]
    environment = {"PATH": f"{place}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PLACE": str(place)}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=20, check=False
    )


def test_what_packages_enable_is_not_enabled_for_the_next_boot(place: Path) -> None:
    done = install(place)
    assert done.stderr == ""
    told = [line for line in done.stdout.splitlines() if "installing" not in line]
    assert told == [
        "install: all is there",
        "install: not enabled for the next boot ('systemctl enable' does that): "
        "strongswan.service strongswan-swanctl.service",
        "= 0",
        *("masked.service", "ovn-host.service"),
    ]
    assert "strongswan" in (place / "asked").read_text()


def test_central_needs_neither_strongswan_nor_a_switch(place: Path) -> None:
    assert "= 0" in install(place, "--central").stdout
    asked = (place / "asked").read_text().split()
    assert "openvswitch-common" in asked
    assert "openvswitch-switch" not in asked
    assert not [each for each in asked if "strongswan" in each or "charon" in each]
    assert "= 0" in install(place, "--central", "--lab").stdout
    assert {"openvswitch-switch", "charon-systemd", "ovn-host"} <= {
        *(place / "asked").read_text().split(),
    }


def test_neither_does_a_run_that_fails(place: Path) -> None:
    (place / "fails").touch()
    done = install(place)
    assert done.stderr == "install: apt-get install failed\n"
    assert done.stdout.splitlines()[-3:] == ["= 1", "masked.service", "ovn-host.service"]
