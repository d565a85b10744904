"""The `dao` command: one line for every error, and a command's modules loaded only when it is called."""

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from dao.errors import DaoError
from dao.runtime.proxies import spare_loopback

FULL = (errno.ENOSPC, errno.EDQUOT)

if TYPE_CHECKING:
    import typer

# the help of each; the module dao.cli.NAME has a typer `app` or, for one command, the function `command`
COMMANDS = {
    "demo": "Run a whole network on this machine and watch it train, score, pay and be audited.",
    "devnet": "A chain of your own with the contracts on it, to develop and rehearse.",
    "deploy": "Put a network's contracts on a chain.",
    "node": "Run a Supernode beside your own data.",
    "owner": "Hold Supernodes by the owner's key alone: replace an operator, leave, claim, take stake out.",
    "superlink": "Run the aggregator of a task.",
    "task": "Create tasks, and show their rules and state.",
    "round": "Show rounds: nodes, scores, rewards, gas.",
    "model": "Get a model that a task has trained, and what it comes from.",
    "proposals": "List proposals, or show one.",
    "propose": "Propose something to the DAO.",
    "delegate": "Delegate your votes, to yourself or to another account.",
    "vote": "Vote on a proposal.",
    "cancel": "Withdraw a proposal of your own.",
    "queue": "Put an accepted proposal into the timelock.",
    "execute": "Execute a queued proposal.",
    "api": "Serve the API, and pay the gas of what members sign.",
    "audit": "Recompute rounds, and compare them with what the Superlink stated.",
    "challenge": "Freeze a result that is wrong, for a bond, until the DAO decides.",
    "new": "Make the folder of an app that runs at once, to begin with.",
    "simulate": "Train together on this machine without a chain: what would each contributor earn?",
}


def command_line(arguments: Sequence[str]) -> "typer.Typer":
    """The typer app for these arguments: the command they name whole, the others by name and help only.

    So `dao --help` loads neither web3 nor torch.
    """
    import typer  # here, where Ctrl-C is caught already

    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain lines: logs and scripts read them too
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback(epilog="A first look: dao demo. Every command has --help with an example.")
    def root(
        version: bool = typer.Option(
            False, "--version", is_eager=True, callback=_print_version, help="Print the version and end."
        ),
    ) -> None:
        """A DAO that trains a model together: stake, train, commit, reveal, aggregate, score, pay, audit."""

    def unloaded() -> None:
        """Stand in for a command that these arguments do not name."""

    for name, text in COMMANDS.items():
        if list(arguments[:1]) != [name]:
            app.command(name, help=text)(unloaded)
            continue
        module = importlib.import_module(f"dao.cli.{name}")
        if hasattr(module, "command"):
            app.command(name)(module.command)
        else:
            if module.app.registered_callback is None:  # which has a docstring of its own
                module.app.info.help = text
            app.add_typer(module.app, name=name)
    return app


def _print_version(wanted: bool) -> None:
    """Print the installed version and end, where `--version` was given."""
    if wanted:
        import typer

        print(f"dao {version('commonweight')}")
        raise typer.Exit


def main() -> None:
    """Entry point of `dao`. A DaoError, or a file that cannot be used, is one line on stderr and exit code 1; Ctrl-C 130."""
    arguments = sys.argv[1:]
    spare_loopback(os.environ)
    try:
        command_line(arguments)(arguments, prog_name="dao")
    except KeyboardInterrupt:  # while a command was still loading
        sys.exit(130)
    except DaoError as error:
        sys.stderr.write(f"dao: {error}\n")
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        remedy = "; make room on the disk" if error.errno in FULL else ""
        if not (where or remedy):  # a fault of ours
            raise
        sys.stderr.write(f"dao: {where}{error.strerror}{remedy}\n")
        sys.exit(1)
