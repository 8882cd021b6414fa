"""Generated trials: sequences of calls, legal and illegal, made for real and judged by the model of sockets."""
