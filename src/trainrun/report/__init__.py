"""Output for people: the console of a fit, listings, tables, pictures. Reads runs and events only."""
