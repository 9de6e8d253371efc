"""What people see: the console of a fit, listings and tables. Reads runs and events, changes nothing."""
