"""How good is a model? Scores in the features of a classifier of the real images."""
