"""Run directories: where they are, how they are written, and how they are read again."""
