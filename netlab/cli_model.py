"""The command model: the documented model's claims, the rules of the sockets API, TCP's states, to be read.

Only click is imported here; the command imports what it needs.
"""

import click

from netlab.cli_run import known_names


@click.command()
@click.argument("identity", required=False, metavar="[ID]")
def model(identity: str | None) -> None:
    """List the documented model's claims, or show what ID names.

    ID is a claim (cloexec-default-off), a rule of the sockets API (bind.in-use), a call, with all its rules in the order in which
    they are asked (bind), "rules" for all of them, a rule about TCP's segments (wire.checksum), "wire" for all of those, or "tcp"
    for the table of TCP's states.
    """
    from netlab.files import shipped_claims
    from netlab.model.sockets.tables import all_rules, modelled_calls
    from netlab.model.wire.rules import RULES as WIRE
    from netlab.report import model as tell
    from netlab.report import rules as tell_rules

    rules = all_rules()
    scenarios, not_tested = shipped_claims()
    claims = [*(one.name for one in scenarios), *(one.id for one in not_tested)]
    if identity is None:
        lines = tell.claims(scenarios, not_tested)
    elif identity == "tcp":
        lines = tell.tcp_states()
    elif identity == "rules":
        lines = tell_rules.listed(rules.values())
    elif identity == "wire" or identity in WIRE:
        lines = tell_rules.of_the_wire(WIRE.values() if identity == "wire" else [WIRE[identity]])
    elif identity in rules:
        lines = tell_rules.one(rules[identity])
    elif identity in modelled_calls():
        lines = tell_rules.listed(rule for rule in rules.values() if rule.call == identity)
    else:
        known_names("claim, rule or call", [identity], [*claims, *rules, *modelled_calls(), *WIRE])
        lines = tell.claim(identity, scenarios, not_tested)
    for line in lines:
        click.echo(line)
