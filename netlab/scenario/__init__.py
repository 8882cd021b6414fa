"""The room for what is tried."""
