"""Output of `trainrun search`: tables and sentences for people, or data for programs."""
