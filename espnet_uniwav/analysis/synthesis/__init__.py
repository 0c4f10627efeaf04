"""How good generated speech is: words, voice, naturalness, time."""
