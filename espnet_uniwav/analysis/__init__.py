"""What a model learnt, shown: pictures, curves and the report page."""
