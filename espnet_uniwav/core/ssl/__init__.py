"""Masked self-distillation with online clustering (DinoSR)."""
