"""The version of ovnsvc, as setup.py has it."""

VERSION = "0.1.0"
