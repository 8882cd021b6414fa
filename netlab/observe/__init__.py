"""The room for seeing what happens."""
