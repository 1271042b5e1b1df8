"""Tests of ovnsvc; those under system/ need root and the lab."""
