"""One folder for all that is trained: its files, its names and its card."""
