"""The room for what may happen."""
