"""From the file as written to a plain one: includes, variables, groups, lines and rings."""
