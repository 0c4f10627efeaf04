"""Alignments of words and phones: one file format, four sources."""
