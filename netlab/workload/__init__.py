"""The room for acting inside the lab."""
