"""The room for what happened."""
