"""A field capture or a log of strace's as a topology and a scenario that reproduce it. Pure: it touches no kernel."""
