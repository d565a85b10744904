"""Sets up the demonstration's network before its daemons: chain, contracts, content, a funded task, members with stake."""

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
from dao.content.tensor_files import each, open_model
from dao.core.formats.card import Card, Metric, write_card
from dao.core.formats.layout import compute_depth, compute_model_root
from dao.core.formats.signed_messages import compute_operator_digest
from dao.core.types import Codec, Digest, Rules, TaskId, Wei, hex_of
from dao.demo.images import DemoData
from dao.devnet.anvil import SWIFT, Anvil, dev_signer, leave_to_founders, running_anvil
from dao.store.disk import DiskStore
from node.approvals import Approvals
from node.settings import NodeSettings, TaskSettings, write_task
from node.trainer import Trainer

STAKE, BOND, BUDGET = Wei(100 * TOKEN), Wei(500 * TOKEN), Wei(1000 * TOKEN)
CARD = Card(
    name="Handwritten digits",
    purpose="Reads handwritten digits from images of 28 times 28 pixels",
    data="MNIST images and their labels, 5,000 dealt to the members",
    metric=Metric("accuracy", higher_is_better=True),
)
GAS_MONEY = Wei(10 * TOKEN)
PASSWORD = "demonstration"  # noqa: S105  (keys of a chain that is thrown away)
SCRYPT_WORK = 4096
VALUES_A_SECOND = 2_000_000  # of a model, that a slow disk and all members on one machine leave time for


@dataclass(frozen=True)
class DemoKeys:
    """An owner and its operator; the operator's keystore and password are in `home`."""

    home: Path
    owner: Signer
    operator: Signer


@dataclass(frozen=True)
class DemoNetwork:
    """Everything that daemons need to start."""

    folder: Path
    anvil: Anvil
    chain: Chain
    task: TaskId
    data: DemoData
    superlink: DemoKeys
    nodes: Sequence[DemoKeys]
    address: str  # host:port of the Superlink
    first_model: Path  # in the Superlink's store, beside app and card
    guest: Path | None  # home of a newcomer: an owner's keystore and its password
    app: Digest
    card: Digest

    @property
    def deployment(self) -> Path:
        """The file with the contracts' addresses."""
        return self.folder / "deployment.json"


@asynccontextmanager
async def open_demo_network(
    folder: Path,
    app: Path,
    data: DemoData,
    names: Sequence[str],
    rounds: int,
    *,
    guest: bool = False,
    codec: Codec = Codec.INT8,
) -> AsyncIterator[DemoNetwork]:
    """Set all of it up in an existing folder, for an app in another; the chain ends with the block.

    `names` are the Supernodes', `data` is theirs. With `guest` there is an owner with the means to join later, and the
    network is left to its founders' votes.
    """
    async with AsyncExitStack() as stack:
        anvil = stack.enter_context(running_anvil(folder / "chain", block_time=1))
        deployment: Deployment = await deploy(
            anvil.ws, dev_signer(0), SWIFT if guest else Params(), folder / "deploy.db"
        )
        deployment.save(folder / "deployment.json")
        chain = await stack.enter_async_context(await Chain.connect(anvil.ws, deployment))
        dao = await stack.enter_async_context(Sender(chain, dev_signer(0), folder / "dao.db"))
        superlink = await _make_keys(folder / "superlink")
        nodes = [await _make_keys(folder / name.lower()) for name in names]
        rules = await _store_content(folder, app, data.shards, superlink, len(names), codec)
        task = await create_task(chain, dao, rules, Wei(rounds * BUDGET))
        await _stake(anvil, chain, dao, [(superlink, BOND), *((keys, STAKE) for keys in nodes)])
        await asyncio.gather(*(join(chain, keys, task) for keys in nodes))
        address = f"127.0.0.1:{find_free_port()}"
        guest_home = await _make_guest(anvil, chain, dao, folder / "guest") if guest else None
        if guest:
            await leave_to_founders(chain, dao)
        first_model = _open_store(superlink).path_of(rules.base_model)
        yield DemoNetwork(
            *(folder, anvil, chain, task, data, superlink, nodes, address, first_model, guest_home),
            *(rules.app_hash, rules.card),
        )


async def _make_guest(anvil: Anvil, chain: Chain, dao: Sender, home: Path) -> Path:
    """Make an owner with tokens and gas that has no Supernode yet; return its home."""
    home.mkdir(parents=True)  # noqa: ASYNC240
    write_private(home / "owner-password", PASSWORD)
    owner = await asyncio.to_thread(Signer.create, home / "owner.json", PASSWORD, SCRYPT_WORK)
    anvil.fund(owner.address, GAS_MONEY)
    await grant(chain, dao, {owner.address: STAKE})
    return home


async def join(chain: Chain, keys: DemoKeys, task: TaskId) -> None:
    """Have an owner's Supernode take part in the task."""
    async with Sender(chain, keys.owner, keys.home / "owner.db") as sender:
        await sender.send(Coordinator(chain).join(task, keys.operator.address))


async def _store_content(
    folder: Path, app: Path, validation: Path, superlink: DemoKeys, nodes: int, codec: Codec
) -> Rules:
    """Store the app and its first model where the Superlink has its content; return the task's rules."""
    store = _open_store(superlink)
    app_hash = (await store.put_bytes(bundle(app))).digest
    first = folder / "first-model.safetensors"
    trainer = Trainer.of(app, None, folder / "first-model.log")
    try:
        await trainer.create(first)
    finally:
        await trainer.stop()
    model = await asyncio.to_thread(open_model, first)
    depth = compute_depth(model.layout.chunks)
    shards = read_shards(validation)
    period = 120 + model.layout.size // VALUES_A_SECOND
    return Rules(
        superlink=superlink.operator.address,
        commit_period=period,
        reveal_period=60,
        result_period=period,
        challenge_period=5,
        resolve_period=120,  # a vote takes less
        quorum=max(1, nodes // 2),
        shards=len(shards.paths),
        body_depth=depth,
        codec=codec,
        admitted_only=False,
        close_after=60,
        close_share=100,
        max_in_flight=64,
        min_stake=TOKEN,
        max_stake=Wei(1000 * TOKEN),
        round_budget=BUDGET,
        superlink_bond=BOND,
        challenge_bond=BOND,
        app_hash=app_hash,
        base_model=(await store.put_file(first, move=True)).digest,
        validation_root=shards.root,
        chunks=model.layout.chunks,
        scored_chunks=model.layout.scored_chunks,
        base_model_root=await asyncio.to_thread(compute_model_root, model, depth, each),
        card=(await store.put_bytes(write_card(CARD))).digest,
    )


def _open_store(superlink: DemoKeys) -> DiskStore:
    return DiskStore(superlink.home / "store", sync=False)


async def _make_keys(home: Path) -> DemoKeys:
    home.mkdir(parents=True)  # noqa: ASYNC240
    write_private(home / "password", PASSWORD)
    operator = await asyncio.to_thread(Signer.create, home / "operator.json", PASSWORD, SCRYPT_WORK)
    return DemoKeys(home, Signer.ephemeral(), operator)


async def _stake(anvil: Anvil, chain: Chain, dao: Sender, stakes: Sequence[tuple[DemoKeys, Wei]]) -> None:
    """Give owners tokens and gas, and register their operators with these stakes."""
    await grant(chain, dao, {keys.owner.address: amount for keys, amount in stakes})
    registry = chain.deployment.registry
    for keys, amount in stakes:
        anvil.fund(keys.owner.address, GAS_MONEY)
        anvil.fund(keys.operator.address, GAS_MONEY)
        consent = compute_operator_digest(chain.chain_id, registry, keys.owner.address, keys.operator.address)
        async with Sender(chain, keys.owner, keys.home / "owner.db") as sender:
            await sender.send(Token(chain).approve(registry, amount))
            call = Registry(chain).register(keys.operator.address, amount, keys.operator.sign(consent))
            await sender.send(call)


def write_config(
    network: DemoNetwork,
    keys: DemoKeys,
    ipfs: str | None = None,
    *,
    trains: bool = False,
    sandbox: str = "auto",
) -> None:
    """Write a daemon's settings. Supernodes (`trains`) train on one thread each, as all share this machine.

    `sandbox` is its mode: the app is ours, and a machine without one shall see the demonstration too.
    """
    lines = [
        *(["threads = 1", f'reveal = "{"ipfs" if ipfs else "stream"}"'] if trains else []),
        "[chain]",
        f'rpc = "{network.anvil.ws}"',
        f'deployment = "{network.deployment}"',
        "[sandbox]",
        f'mode = "{sandbox}"',
        "[content]",
        *(["sync = false"] if trains else []),
        *([f'ipfs = "{ipfs}"'] if ipfs else []),
    ]
    (keys.home / "config.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_demo_task(network: DemoNetwork, keys: DemoKeys, data: Path, python: Path | None = None) -> None:
    """Write what `dao node join` does for one of the demonstration's own Supernodes, whose owner knows the app."""
    settings = NodeSettings.load(keys.home)
    write_task(settings, network.task, TaskSettings(data=data, superlink=network.address, app_python=python))
    Approvals(keys.home).approve(network.task, network.app, network.card)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def find_free_port() -> int:
    """Return a free port of the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def format_addresses(keys: DemoKeys) -> tuple[str, str]:
    """Return the addresses of owner and operator as they stand in JSON."""
    return hex_of(keys.owner.address), hex_of(keys.operator.address)
