"""The keys of a config, a module a group: type, short form, default that follows other keys, and check."""
