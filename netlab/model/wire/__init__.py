"""What TCP connections did on the wire, as an outsider at one place sees it, and where a sender broke the rules."""
