"""The commands of the core, a file for each noun; core_commands.py is their table."""
