"""UniWav for ESPnet and S3PRL: one model to understand and to generate speech."""

__version__ = "0.1.0"
