"""(being written)"""

from netlab.model.sockets.rules import Rule

RULES: tuple[Rule, ...] = ()
