"""The demonstration's network before its daemons: chain, contracts, content, a funded task, members with stake."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from dao.app.bundle import bundle
from dao.app.shards import read_shards
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Registry, Token
from dao.chain.deploy import TOKEN, Params, create_task, deploy, grant
from dao.chain.deployment import Deployment
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.core.formats.layout import compute_depth, parse_model
from dao.core.formats.signed_messages import compute_operator_digest
from dao.core.types import Codec, Rules, TaskId, Wei, hex_of
from dao.demo.images import Dealt
from dao.devnet.anvil import SWIFT, Anvil, dev_signer, leave_to_founders, running_anvil
from dao.store.disk import DiskStore
from node.trainer import Trainer

STAKE, BOND, BUDGET = Wei(100 * TOKEN), Wei(500 * TOKEN), Wei(1000 * TOKEN)
GAS_MONEY = Wei(10 * TOKEN)
PASSWORD = "demonstration"  # noqa: S105  (keys of a chain that is thrown away)
SCRYPT_WORK = 4096


@dataclass(frozen=True)
class Keys:
    """An owner and its operator; the operator's keystore and password are in `home`."""

    home: Path
    owner: Signer
    operator: Signer


@dataclass(frozen=True)
class World:
    """What the daemons are started on."""

    folder: Path
    anvil: Anvil
    chain: Chain
    task: TaskId
    dealt: Dealt
    superlink: Keys
    nodes: Sequence[Keys]
    address: str  # host:port of the Superlink
    content: Path  # a disk store with app and first model
    guest: Path | None  # home of whoever may join: an owner's keystore and its password

    @property
    def deployment(self) -> Path:
        """The file of the network's addresses."""
        return self.folder / "deployment.json"


@asynccontextmanager
async def open_world(
    folder: Path, app: Path, dealt: Dealt, names: Sequence[str], rounds: int, *, guest: bool = False
) -> AsyncIterator[World]:
    """Make all of it in an existing folder, for the app of another; the chain ends with the block.

    `names` are the Supernodes', and `dealt` is what they hold. With `guest` there is an owner with the means to join
    later, and the network is left to its founders' votes.
    """
    async with AsyncExitStack() as stack:
        anvil = stack.enter_context(running_anvil(folder / "chain", block_time=1))
        made: Deployment = await deploy(
            anvil.ws, dev_signer(0), SWIFT if guest else Params(), folder / "deploy.db"
        )
        made.save(folder / "deployment.json")
        chain = await stack.enter_async_context(await Chain.connect(anvil.ws, made))
        dao = await stack.enter_async_context(Sender(chain, dev_signer(0), folder / "dao.db"))
        superlink = await _keys(folder / "superlink")
        nodes = [await _keys(folder / name.lower()) for name in names]
        rules = await _rules(folder, app, dealt.shards, superlink, len(names))
        task = await create_task(chain, dao, rules, Wei(rounds * BUDGET))
        await _stake(anvil, chain, dao, [(superlink, BOND), *((keys, STAKE) for keys in nodes)])
        await asyncio.gather(*(join(chain, keys, task) for keys in nodes))
        address = f"127.0.0.1:{free_port()}"
        visitor = await _guest(anvil, chain, dao, folder / "guest") if guest else None
        if guest:
            await leave_to_founders(chain, dao)
        content = folder / "content"
        yield World(folder, anvil, chain, task, dealt, superlink, nodes, address, content, visitor)


async def _guest(anvil: Anvil, chain: Chain, dao: Sender, home: Path) -> Path:
    """Make an owner with tokens and gas that has no Supernode yet; returns its home."""
    home.mkdir(parents=True)  # noqa: ASYNC240
    write_private(home / "owner-password", PASSWORD)
    owner = await asyncio.to_thread(Signer.create, home / "owner.json", PASSWORD, SCRYPT_WORK)
    anvil.fund(owner.address, GAS_MONEY)
    await grant(chain, dao, {owner.address: STAKE})
    return home


async def join(chain: Chain, keys: Keys, task: TaskId) -> None:
    """Have an owner's Supernode take part in the task."""
    async with Sender(chain, keys.owner, keys.home / "owner.db") as sender:
        await sender.send(Coordinator(chain).join(task, keys.operator.address))


async def _rules(folder: Path, app: Path, validation: Path, superlink: Keys, nodes: int) -> Rules:
    store = DiskStore(folder / "content")
    app_hash = (await store.put_bytes(bundle(app))).digest
    first = folder / "first-model.safetensors"
    maker = Trainer.of(app, None, folder / "first-model.log")
    try:
        await maker.create(first)
    finally:
        await maker.stop()
    values = first.read_bytes()
    shards = read_shards(validation)
    return Rules(
        superlink=superlink.operator.address,
        commit_period=120,
        reveal_period=60,
        result_period=120,
        force_period=5,
        challenge_period=5,
        resolve_period=120,  # a vote takes less
        quorum=max(1, nodes // 2),
        shards=len(shards.paths),
        body_depth=compute_depth(parse_model(values).layout.chunks),
        codec=Codec.INT8,
        admitted_only=False,
        min_stake=TOKEN,
        max_stake=Wei(1000 * TOKEN),
        round_budget=BUDGET,
        superlink_bond=BOND,
        challenge_bond=BOND,
        app_hash=app_hash,
        base_model=(await store.put_bytes(values)).digest,
        validation_root=shards.root,
    )


async def _keys(home: Path) -> Keys:
    home.mkdir(parents=True)  # noqa: ASYNC240
    write_private(home / "password", PASSWORD)
    operator = await asyncio.to_thread(Signer.create, home / "operator.json", PASSWORD, SCRYPT_WORK)
    return Keys(home, Signer.ephemeral(), operator)


async def _stake(anvil: Anvil, chain: Chain, dao: Sender, wanted: Sequence[tuple[Keys, Wei]]) -> None:
    """Give the owners tokens and gas, and register their operators with this stake."""
    await grant(chain, dao, {keys.owner.address: amount for keys, amount in wanted})
    registry = chain.deployment.registry
    for keys, amount in wanted:
        anvil.fund(keys.owner.address, GAS_MONEY)
        anvil.fund(keys.operator.address, GAS_MONEY)
        consent = compute_operator_digest(chain.chain_id, registry, keys.owner.address, keys.operator.address)
        async with Sender(chain, keys.owner, keys.home / "owner.db") as sender:
            await sender.send(Token(chain).approve(registry, amount))
            call = Registry(chain).register(keys.operator.address, amount, keys.operator.sign(consent))
            await sender.send(call)


def write_config(world: World, keys: Keys, kubo: str | None = None, *, trains: bool = False) -> None:
    """Write a daemon's settings file; who trains does so on one thread, for all share this machine."""
    lines = [
        *(["threads = 1", f'reveal = "{"ipfs" if kubo else "stream"}"'] if trains else []),
        "[chain]",
        f'url = "{world.anvil.ws}"',
        f'deployment = "{world.deployment}"',
        "[content]",
        *(["sync = false"] if trains else []),
        *([f'kubo = "{kubo}"'] if kubo else []),
    ]
    (keys.home / "config.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def named(keys: Keys) -> tuple[str, str]:
    """Addresses of owner and operator as they stand in JSON."""
    return hex_of(keys.owner.address), hex_of(keys.operator.address)
