"""The room for disturbing links."""
