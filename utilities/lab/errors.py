"""What goes wrong in the lab, as one line for a person."""

from __future__ import annotations


class LabError(Exception):
    """The lab cannot do what was asked; the message is one line."""
