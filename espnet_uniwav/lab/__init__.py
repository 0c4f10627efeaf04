"""Tools around the models: they prepare corpora, measure, and show."""
