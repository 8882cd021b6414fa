"""The room for how a program used its sockets: a finished timeline in, findings out. Pure."""
