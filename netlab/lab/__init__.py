"""The room for building the network."""
