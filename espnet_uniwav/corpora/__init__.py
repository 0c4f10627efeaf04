"""Corpora that the recipes can download, as a table with paths to the audio."""
