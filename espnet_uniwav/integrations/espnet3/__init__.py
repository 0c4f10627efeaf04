"""Adapter of ESPnet3: a system, its default configurations, recordings and states.

Nothing else in the package imports ESPnet3, Lightning or Hydra; see doc/espnet3.md.
"""
