"""The keys of a config, a module a group: type, short form, default that follows other keys, and check.

To add a key, write its type here and its line in `Config`, and enter its first default in `first_defaults`.
"""
