"""When which word and phone was spoken: one file format, four sources."""
