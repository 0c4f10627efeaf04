"""Analysis of a trained model: pictures, curves and the report page."""
