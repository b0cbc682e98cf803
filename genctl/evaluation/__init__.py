"""How good is a model? Measured in what a classifier of the real images sees, without a network."""
