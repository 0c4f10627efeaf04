"""Phone and speaker information in every layer."""
