"""S3PRL adapter: ``uniwav_local`` and ``uniwav_url`` in ``s3prl.hub``."""
