"""`dao node`: run a Supernode beside your own data."""

import typer

from dao.cli.node import checking, membership, running, standing

app = typer.Typer(no_args_is_help=True, help="Run a Supernode beside your own data.")
for command in (
    standing.init,
    standing.register,
    standing.consent,
    checking.check,
    membership.join,
    membership.approve,
    running.uses,
    membership.leave,
    running.start,
    running.status,
    running.claim,
    standing.unbond,
    standing.withdraw,
):
    app.command()(command)
del command  # `dao.cli` takes a function of this name for a command of its own
