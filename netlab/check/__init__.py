"""The room for was it right."""
