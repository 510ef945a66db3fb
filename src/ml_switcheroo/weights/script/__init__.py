"""The parts of the migration script, as ordinary modules: `weights/compose.py` joins them into one standalone file.

They may use numpy and the standard library only (torch and orbax where a file asks for them), and each other.
"""
