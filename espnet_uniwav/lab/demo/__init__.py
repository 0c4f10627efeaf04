"""A page in the browser to try the models: speak, fill, edit, tokens, look."""
