"""The room for what network is wanted."""
