"""The executable model of the sockets API: what each call may give in any situation, as tables of cited rules."""
