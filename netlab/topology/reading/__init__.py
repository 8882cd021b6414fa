"""From a plain file to the network that it stands for, with everything that is wrong with it."""
