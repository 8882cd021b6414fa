"""The command that judges files which were recorded somewhere: check. It needs no root, and no network.

It reads arguments and tells; what can be checked, and how, is in netlab.checked.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import click

from netlab.cli import INCONCLUSIVE, discard_output
from netlab.cli_files import UnwritableError
from netlab.cli_options import ci_options, html_option, writable

FAULT = 1


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--json", metavar="FILE", callback=writable, help="Write what was found as JSON; - is standard output.")
@click.option("--junit", metavar="FILE", callback=writable, help="Write what was found as JUnit XML.")
@click.option("--pcap", metavar="FILE", callback=writable, help="Write the packets as pcapng, what was found as their comments.")
@html_option
@ci_options
@click.option("--no-payload", is_flag=True, help="Leave payloads out of what is written.")
@click.option(
    "--allow-inconclusive", is_flag=True, help="Exit with 0, not 3, when no rule was broken but something is INCONCLUSIVE."
)
def check(
    files: Sequence[str],
    json: str | None,
    junit: str | None,
    pcap: str | None,
    html: str | None,
    ctrf: str | None,
    summary: str | None,
    github_summary: str | None,
    no_payload: bool,
    allow_inconclusive: bool,
) -> None:
    """Judge what was recorded: what each connection did, and where a rule was broken, with its id and source.

    FILE is a capture, pcap or pcapng, from anywhere (packets are numbered as tcpdump and Wireshark number them); the JSON result of
    an earlier run, whose timelines are judged again; or a log of strace's, of which the calls are judged.

    Exit status: 0 no rule was broken, 1 some rule was, 2 a file cannot be read or is damaged, 3 no breach was seen, but something
    could not be judged.
    """
    import msgspec

    from netlab import __version__
    from netlab.check.result import RunResult
    from netlab.checked import check_file
    from netlab.host_facts import host_facts
    from netlab.report.outputs import Outputs
    from netlab.report.redact import without_payload
    from netlab.report.text import write_lines

    outputs = Outputs(json=json, junit=junit, pcap=pcap, html=html, ctrf=ctrf, summary=summary, github_summary=github_summary)
    if outputs.paths.count("-") > 1:
        raise click.UsageError("only one report can go to standard output")
    results = []
    for file in files:
        began = time.monotonic()
        checked = check_file(Path(file))
        write_lines(checked.lines, outputs.text)
        outputs.text.flush()
        took = (time.monotonic() - began) / max(len(checked.results), 1)
        results += [msgspec.structs.replace(one, elapsed=took) for one in checked.results]
    result = RunResult(netlab=__version__, host=host_facts(), scenarios=tuple(results))
    try:
        outputs.write_files(without_payload(result) if no_payload else result)
    except BrokenPipeError:
        discard_output()
    except OSError as error:
        raise UnwritableError(f"{error.filename}: cannot be written: {error.strerror}") from error
    if result.outcome == "FAIL":
        click.get_current_context().exit(FAULT)
    if result.outcome == "INCONCLUSIVE" and not allow_inconclusive:
        click.get_current_context().exit(INCONCLUSIVE)
