"""A study: its parameters, its paths, what it takes on disk, and on what it was made."""
