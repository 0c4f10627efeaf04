"""Flow matching: path, decoder, objective, solvers and guidance."""
