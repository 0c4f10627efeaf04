"""A tool around the model: alignments of words and phones, one format, four sources."""
