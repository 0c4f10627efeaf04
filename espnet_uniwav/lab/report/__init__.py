"""A tool around the model: measures, pictures and the report page of a trained one."""
