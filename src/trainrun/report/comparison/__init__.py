"""Output of `trainrun compare`: tables and sentences, laid out for people, or as data for programs."""
