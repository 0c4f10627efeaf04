"""Phones: pronunciations, and their times in speech."""
