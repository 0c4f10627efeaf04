"""Adapter of fairseq2: model families, asset cards and a pre-training recipe.

fairseq2 finds ``extension.py`` by the entry point of our package, see doc/fairseq2.md.
Nothing else in the package imports fairseq2.
"""
