"""Commands and scripts around the daemons."""
