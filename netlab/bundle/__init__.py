"""A failure that can be handed on: one file with all that it takes to run it again. Each module says what it answers."""
