"""What every layer knows of phones and speakers."""
