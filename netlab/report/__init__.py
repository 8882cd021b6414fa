"""The room for telling what was found."""
