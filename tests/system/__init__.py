"""Tests of everything together, in the lab: real OVN, Open vSwitch, strongSwan; root."""
