"""What is done with a model: speak, encode to tokens, fill gaps, play."""
