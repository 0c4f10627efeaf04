"""Files of unknown origin are read, and files are written whole or not at all."""
