"""Command lines: what all commands and scripts of the package share."""
