"""Layers that encoder, teacher and decoder share."""
