"""A decision's whole life over HTTP alone, by members who own no ether."""

from dao.chain.contracts import Token
from dao.chain.deploy import TOKEN
from dao.chain.governance import Governor, ProposalState
from dao.core.types import Address, hex_of
from tests.api.stage import DELAY, PARAMS, Stage, caught_up, member

TO = Address(bytes([7] * 20))


async def test_story__members_without_ether__a_grant_is_decided_and_paid(stage: Stage) -> None:
    async with stage.open() as running, stage.network.chain() as chain:
        ann, ben = stage.members[:2]
        async with member(running, ann) as one, member(running, ben) as two:
            for who in (one, two):
                await who.sign_in()
                await who.delegate()
                assert int(await chain.request("eth_getBalance", who.address, "latest"), 16) == 0
            stage.pass_time(1)
            await caught_up(stage, running)
            draft = {
                "title": "A grant",
                "description": "For good work. <script>alert(1)</script>",
                "actions": [{"kind": "grant", "fields": {"to": hex_of(TO), "amount_wei": str(5 * TOKEN)}}],
            }
            ready = await one.post("/prepare/propose", {**draft, "account": one.address})
            assert ready["warnings"] == []
            assert "5 tokens" in ready["words"][1]
            signature = one.sign(ready["typed_data"][0])
            body = {**ready["proposal"], "proposer": one.address, "signature": signature}
            proposed = await one.post("/relay/propose", body, 202)
            number = proposed["proposal_id"]
            assert number == ready["proposal_id"]
            await one.mined(proposed)
            mined = await one.mined(proposed)
            assert mined["proposal_id"] == number
            assert await one.post("/relay/propose", body, 202) == mined
            stage.pass_time(PARAMS.voting_delay + 1)
            await caught_up(stage, running)
            for who, reason in ((one, "because"), (two, "")):
                assert (await who.vote(number, 1, reason))["proposal_id"] == number
            tally = await Governor(chain).votes_on(int(number), chain.head())
            assert tally.in_favour == 2000 * TOKEN
            stage.pass_time(PARAMS.voting_period + 1)
            await caught_up(stage, running)
            queued = await two.mined(await two.post("/relay/queue", {"proposal": number}, 202))
            assert queued["proposal_id"] == number
            stage.pass_time(DELAY + 1)
            await caught_up(stage, running)
            await two.mined(await two.post("/relay/execute", {"proposal": number}, 202))
            at = chain.head()
            assert await Governor(chain).state_of(int(number), at) is ProposalState.EXECUTED
            assert await Token(chain).balance_of(TO, at) == 5 * TOKEN
