"""The task that an app's author wants: its options, and what becomes of them once app, model and card are tried and stored."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dao.cli.card_options import CardOptions
from dao.cli.chain_options import absolute
from dao.cli.options import CONTENT_DEFAULT, BuiltAppPythonOption, IpfsOption
from dao.cli.rule_options import RuleOptions, read_rule_options
from dao.core.engine.backend import is_sparse
from dao.core.formats.address import address_of
from dao.core.types import Address, Rules, Wei, hex_of
from dao.errors import ConfigError

if TYPE_CHECKING:
    from dao.cli.task_content import TaskContent


@dataclass(frozen=True)
class TaskPlan:
    """A task that is ready to be created: its content is stored, and its rules name it."""

    content: "TaskContent"
    rules: Rules
    funds: Wei
    store: Path

    @property
    def fields(self) -> dict[str, object]:
        """What a command prints of it."""
        content = self.content
        return {
            "app": str(content.app),
            "card": str(content.card_cid),
            "base_model": str(content.base_model),
            "validation_root": hex_of(content.validation_root),
            "shards": content.shards,
            "values": content.layout.size,
            "funds_wei": str(self.funds),
            "store": str(self.store),
        }


@dataclass(frozen=True)
class TaskTerms:
    """What the options say of a task."""

    superlink: Address  # of its operator
    rules: dict[str, Any]  # the fields of Rules that have options
    card: bytes  # its content


@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """What a task is made of beside its app and shards."""

    superlink: Annotated[
        str, typer.Option("--superlink-operator", help="Account of the Superlink's operator.")
    ]
    model: Annotated[
        Path | None, typer.Option(help="The first model, safetensors of float32; without, the app makes it.")
    ] = None
    content_folder: Annotated[
        Path, typer.Option(help="Folder to keep the app and the first model in, as a store.")
    ] = CONTENT_DEFAULT
    ipfs: IpfsOption = None
    app_python: BuiltAppPythonOption = None
    trial: Annotated[
        float,
        typer.Option(
            min=1, help="Seconds that each of the app's functions may take on a shard, at its trial."
        ),
    ] = 120.0
    untried: Annotated[
        bool,
        typer.Option(
            "--untried", help="Do not try the app on a shard first; with --model it is not run at all."
        ),
    ] = False
    fund_rounds: Annotated[int, typer.Option(min=0, help="How many rounds to fund now.")] = 10
    card: CardOptions
    rules: RuleOptions

    def read(self, app: Path) -> TaskTerms:
        """Return what the options say; ConfigError names the one that is wrong."""
        from dao.app.frozen_base import find_frozen_base
        from dao.content.tensor_files import compute_cid

        operator, frozen = address_of(self.superlink, "--superlink-operator"), find_frozen_base(app)
        card = self.card.make(app.absolute().name, compute_cid(frozen) if frozen else None)
        return TaskTerms(operator, read_rule_options(self.rules), card)

    async def plan(self, terms: TaskTerms, app: Path, shards: Path) -> TaskPlan:
        """Try the app, store the content, and return the task on the terms that `read` returned; errors are those of `publish`."""
        from dao.app.shards import read_shards
        from dao.cli.task_content import publish

        folder = absolute(self.content_folder)
        hashed = await asyncio.to_thread(read_shards, shards)
        if self.fund_rounds > len(hashed.paths):
            raise ConfigError(
                f"--fund-rounds {self.fund_rounds}: expected at most one for each of the {len(hashed.paths)} shards in {shards}"
            )
        limit = None if self.untried else self.trial
        content = await publish(
            app, terms.card, self.model, hashed, folder, self.ipfs, self.app_python, limit
        )
        if is_sparse(terms.rules["codec"]) and content.layout.scored_chunks < content.layout.chunks:
            raise ConfigError(
                f"--codec {terms.rules['codec']}: expected a model without tensors that are only carried, such as a BatchNorm's statistics; take int8"
            )
        rules = Rules(
            superlink=terms.superlink,
            shards=content.shards,
            body_depth=content.body_depth,
            app_hash=content.app.digest,
            base_model=content.base_model.digest,
            validation_root=content.validation_root,
            chunks=content.layout.chunks,
            scored_chunks=content.layout.scored_chunks,
            card=content.card_cid.digest,
            base_model_root=content.base_model_root,
            **terms.rules,
        )
        return TaskPlan(content, rules, Wei(self.fund_rounds * rules.round_budget), folder)
