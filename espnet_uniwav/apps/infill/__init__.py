"""Infilling of masked parts of utterances, and its evaluation."""
