"""Corpora that the recipes can fetch, written as one table with paths to the audio."""
