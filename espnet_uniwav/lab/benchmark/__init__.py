"""Time and memory of training steps and of feature extraction."""
