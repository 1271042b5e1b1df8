"""A generic OVSDB client: connection, replica, values, and the commands that know no table."""
