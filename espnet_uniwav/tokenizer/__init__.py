"""Speech tokens: speech -> codes of frames -> speech."""
