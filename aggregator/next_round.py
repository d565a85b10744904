"""Whether a task has a further round for this Superlink: whose it is, what is left of it, and when its card ends it."""

from aggregator.publisher import Publisher
from dao.audit.look_back import LookBack
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.core.constants import MAX_MANIFEST
from dao.core.formats.card import Card
from dao.core.formats.manifest import Manifest, parse_manifest
from dao.core.types import Address, Digest, TaskId, hex_of


class NextRound:
    """One task's, for the Superlink of an account."""

    def __init__(self, chain: Chain, task: TaskId, account: Address, publisher: Publisher) -> None:
        self._chain, self._task, self._account, self._publisher = chain, task, account, publisher
        self._coordinator = Coordinator(chain)
        self._look_back = LookBack(chain, task, self._fetch_manifest)
        self._card: tuple[Digest, Card] | None = None  # that was read last

    async def explain_end(self, newest: Manifest | None, used_shards: int) -> str:
        """Return why no round may follow, by the rules that it would open with; "" where one may.

        `newest`: the manifest of the round that it would follow; `used_shards` have been drawn by then.
        """
        at = self._chain.final()
        if (await self._coordinator.task_of(self._task, at)).closed:
            return "closed by the DAO"
        rules = await self._coordinator.rules_of(self._task, at)
        if rules.superlink != self._account:
            return f"the DAO gave it to Superlink {hex_of(rules.superlink)}"
        if used_shards == rules.shards:
            return f"all {rules.shards} validation shards are used; append more by a vote"
        if self._card is None or self._card[0] != rules.card:
            self._card = rules.card, await self._publisher.fetch_card(rules.card)
        return await self._look_back.explain_stop(self._card[1], newest, at)

    async def _fetch_manifest(self, digest: Digest) -> Manifest:
        path = await self._publisher.fetch(digest, MAX_MANIFEST)
        return parse_manifest(path.read_bytes())
