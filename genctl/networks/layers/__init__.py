"""The torch modules that the network families are put together from."""
