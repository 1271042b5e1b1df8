"""Installs the root of the checkout as the import package ovnsvc."""

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

FOLDERS = ("lib", "services", "northd", "controller", "ctl", "northbound")
# What each program needs beside what all need.  svcctl needs nothing.
NORTHD = ["netaddr>=1.2,<2", "PyNaCl>=1.5,<2"]
CONTROLLER = ["pyroute2>=0.7.12,<0.10", "vici>=5.9.8,<7", "PyNaCl>=1.5,<2"]
API = ["ovsdbapp>=2.1,<4"]
PARTS = find_packages(include=[f"{folder}{rest}" for folder in FOLDERS for rest in ("", ".*")])


class BuildParts(build_py):
    """Leaves this file, and any other script beside it, out of the wheel."""

    def find_package_modules(self, package, package_dir):
        modules = super().find_package_modules(package, package_dir)
        return [m for m in modules if package != "ovnsvc" or m[1] == "__init__"]


setup(
    name="ovnsvc",
    version="0.1.0",
    description="Service containers for OVN",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=["ovnsvc", *(f"ovnsvc.{part}" for part in PARTS)],
    package_dir={"ovnsvc": "."},
    package_data={"ovnsvc": ["py.typed", "schemas/*.ovsschema"]},
    include_package_data=False,
    cmdclass={"build_py": BuildParts},
    install_requires=["ovs>=3.1"],
    extras_require={
        "northd": NORTHD,
        "controller": CONTROLLER,
        "api": API,
        "test": [
            *NORTHD,
            *CONTROLLER,
            *API,
            "cryptography>=38",
            "hypothesis>=6.100,<7",
            "import-linter>=2.1,<3",
            "mypy>=1.13,<3",
            "pytest>=8,<10",
            "pytest-timeout>=2.3,<3",
            "pytest-xdist>=3.6,<4",
            "ruff>=0.8,<1",
        ],
    },
    scripts=["utilities/svcctl"],
    entry_points={
        "console_scripts": [
            "svc-northd = ovnsvc.northd.main:main",
            "svc-controller = ovnsvc.controller.main:main",
            "svc-sbctl = ovnsvc.ctl.southbound:main",
        ],
        "ovnsvc.service_types": ["ipsec = ovnsvc.services.ipsec:TYPE"],
    },
)
