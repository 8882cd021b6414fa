"""The options of sockets as tables: one module a level, one row an option; what a row says is in shape.py."""
