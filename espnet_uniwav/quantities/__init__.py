"""Numbers that people write: their units and their bounds."""
