"""The keys of a topology file and their types, as pydantic models."""
