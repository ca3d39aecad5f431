"""Makes `tests` ours: without this file, a library that installs a `tests` package would come first."""
