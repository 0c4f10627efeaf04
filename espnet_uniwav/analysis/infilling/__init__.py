"""Parts of utterances hidden, filled in and judged."""
