"""The room for the words of calls and packets, parsed and printed as data."""
