"""The paper in plain PyTorch: features, encoder, teacher, codebooks, decoder."""
