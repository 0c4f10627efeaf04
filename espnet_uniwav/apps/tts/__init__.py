"""In-context text-to-speech: text, durations and a prompt -> speech."""
