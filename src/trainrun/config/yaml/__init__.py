"""Strict YAML 1.2 core: from text to a tree in which every key and value has its line and column."""
