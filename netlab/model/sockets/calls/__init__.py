"""The rules, a module for each part of the sockets API. ``netlab.model.sockets.tables`` puts them together."""
