"""Written English as it is read aloud."""
