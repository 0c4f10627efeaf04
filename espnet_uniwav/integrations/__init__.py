"""Adapters of other frameworks: names and shapes."""
