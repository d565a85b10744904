"""One account, one token and no ether against the relayer's day: the votes of the others are paid for all the same."""

from typing import Any

from dao.chain.deploy import TOKEN
from dao.gov.texts import DESCRIPTION_BYTES, REASON_BYTES
from tests.api.stage import PARAMS, Member, Stage, caught_up, member

GRANT = {"kind": "grant", "fields": {"to": "0x" + "07" * 20, "amount_wei": str(TOKEN)}}


async def propose(who: Member, title: str, description: str = "", code: int = 202) -> Any:
    """Have a proposal relayed."""
    form = {"account": who.address, "title": title, "description": description, "actions": [GRANT]}
    ready = await who.post("/prepare/propose", form)
    signature = who.sign(ready["typed_data"][0])
    return await who.post(
        "/relay/propose", {**ready["proposal"], "proposer": who.address, "signature": signature}, code
    )


async def test_relay__one_account_floods__is_stopped_and_the_others_vote(own_stage: Stage) -> None:
    stage = own_stage
    async with (
        stage.open() as running,
        member(running, stage.members[0]) as flooder,
        member(running, stage.members[1]) as voter,
    ):
        for who in (flooder, voter):
            await who.sign_in()
            await who.delegate()
        stage.pass_time(1)
        await caught_up(stage, running)
        relayed = await propose(flooder, "First", "\N{SLIGHTLY SMILING FACE}" * (DESCRIPTION_BYTES // 4))
        number = (await flooder.mined(relayed))["proposal_id"]
        problem = await propose(flooder, "Second", code=429)
        assert "at most 1 undecided" in problem["detail"]
        # another act of the same account is no proposal
        await flooder.delegate()
        stage.pass_time(PARAMS.voting_delay + 1)
        await caught_up(stage, running)
        await voter.vote(number, 0, "no")
        stage.pass_time(PARAMS.voting_period + 1)
        await caught_up(stage, running)
        await flooder.mined(await propose(flooder, "Second"))


async def test_relay__an_accounts_gas_is_used_up__says_how_much_and_when_again(own_stage: Stage) -> None:
    async with (
        own_stage.open(relay={"gas_per_account": 150_000}) as running,
        member(running, own_stage.members[0]) as who,
        member(running, own_stage.members[1]) as other,
    ):
        await who.sign_in()
        await who.delegate()
        form = {"account": who.address, "contract": "token", "delegatee": who.address}
        typed = (await who.post("/prepare/delegate", form))["typed_data"][0]
        body = {
            "contract": "token",
            "delegatee": who.address,
            "nonce": typed["message"]["nonce"],
            "expiry": int(typed["message"]["expiry"]),
            "signature": who.sign(typed),
        }
        problem = await who.post("/relay/delegate", body, 429)
        assert "at most 150000 gas, of which" in problem["detail"]
        await other.sign_in()
        await other.delegate()


async def test_relay__texts__are_bounded_in_bytes(own_stage: Stage) -> None:
    async with own_stage.open() as running, member(running, own_stage.members[0]) as who:
        emoji = "\N{SLIGHTLY SMILING FACE}"
        form = {"title": "x", "description": emoji * (DESCRIPTION_BYTES // 4 + 1), "actions": [GRANT]}
        problem = await who.post("/drafts/preview", form, 422)
        assert problem["detail"] == (
            "description: expected at most 15000 bytes of UTF-8, got 15004 in 3751 characters"
        )
        ballot = {
            "account": who.address,
            "proposal": "1",
            "support": 1,
            "reason": emoji * (REASON_BYTES // 4 + 1),
        }
        assert (
            "reason: expected at most 2000 bytes" in (await who.post("/prepare/vote", ballot, 422))["detail"]
        )
