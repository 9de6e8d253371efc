"""Readers of data files, a module a format; `sources.py` chooses the reader by the file's suffix."""
