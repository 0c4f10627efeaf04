"""Probes of frozen upstreams with S3PRL's SUPERB tasks, on a corpus of your own."""
