"""Sentences about problems of a config: what is wrong, where, and what to write instead."""
