"""Progress of a training on the terminal: log lines, the live bar, and the lines that end a fit."""
