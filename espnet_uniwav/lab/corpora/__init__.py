"""Corpora, recordings and data folders: what is read before a model sees it."""
