"""A decision's whole life over HTTP alone, by members who own no ether."""

from dao.api.signing import Signing, proposal_id
from dao.chain.contracts import Token
from dao.chain.deploy import TOKEN
from dao.chain.governance import Actions, Governor, ProposalState
from dao.core.types import Address, Wei, hex_of
from tests.api.stage import DELAY, PARAMS, Stage, member

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
            actions = Actions.of([Token(chain).transfer(TO, Wei(5 * TOKEN))])
            text = "# A grant\n\nFor good work. <script>alert(1)</script>"
            deadline = chain.head().timestamp + 600
            typed = await Signing(chain).proposal(ann.address, actions, text, 0, deadline)
            body = {
                "proposer": one.address,
                "targets": [hex_of(target) for target in actions.targets],
                "values": [str(value) for value in actions.values],
                "calldatas": [hex_of(data) for data in actions.calldatas],
                "description": text,
                "deadline": deadline,
                "signature": one.sign(typed),
            }
            proposed = await one.post("/relay/propose", body, 202)
            number = proposed["proposal_id"]
            assert int(number) == proposal_id(actions, text)
            await one.mined(proposed)
            assert await one.post("/relay/propose", body, 202) == {
                **proposed,
                **await one.mined(proposed),
                "proposal_id": number,
            }
            stage.pass_time(PARAMS.voting_delay + 1)
            await one.vote(number, 1, "because")
            await two.vote(number, 1)
            tally = await Governor(chain).votes_on(int(number), chain.head())
            assert tally.in_favour == 2000 * TOKEN
            stage.pass_time(PARAMS.voting_period + 1)
            await two.mined(await two.post("/relay/queue", {"proposal": number}, 202))
            stage.pass_time(DELAY + 1)
            await two.mined(await two.post("/relay/execute", {"proposal": number}, 202))
            at = chain.head()
            assert await Governor(chain).state_of(int(number), at) is ProposalState.EXECUTED
            assert await Token(chain).balance_of(TO, at) == 5 * TOKEN
