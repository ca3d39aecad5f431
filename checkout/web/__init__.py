"""HTTP in and out: find, check, do, answer."""
