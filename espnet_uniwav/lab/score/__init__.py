"""Evaluation of generated speech: words, voice, naturalness, time."""
