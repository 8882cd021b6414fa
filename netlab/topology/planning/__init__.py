"""From a network to what is to be built, decided to the last index."""
