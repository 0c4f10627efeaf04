"""S3PRL's door: ``uniwav_local`` and ``uniwav_url`` in ``s3prl.hub``."""
