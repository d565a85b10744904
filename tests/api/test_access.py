"""Every route as nobody, as another, with a session that is over, with signatures that are forged, replayed or foreign."""

import time
from typing import Any

import pytest

from dao.api.application import ROUTES
from dao.chain.signer import Signer
from dao.core.types import hex_of
from dao.gov.siwe import compute_text_digest
from dao.gov.typed_data import compute_digest
from tests.api.stage import BASE, PARAMS, Member, Stage, caught_up, member

PREPARING = [
    f"/prepare/{action}" for action in ["delegate", "vote", "propose", "queue", "execute", "cancel", "claim"]
]
OPEN = ["/auth/nonce", "/auth/verify", "/drafts/preview", *PREPARING]  # they change nothing
CHANGING = ["/relay/delegate", "/relay/vote", "/relay/propose", "/relay/queue", "/relay/execute"]


async def delegation(who: Member, **changes: Any) -> dict[str, Any]:
    """A good body for /relay/delegate, but for the changes of what is signed."""
    form = {"account": who.address, "contract": "token", "delegatee": who.address}
    typed = (await who.post("/prepare/delegate", form))["typed_data"][0]
    message = dict(typed["message"])
    for name, value in changes.items():
        part = "domain" if name in typed["domain"] else "message"
        typed[part][name] = value
    return {
        "contract": "token",
        "delegatee": who.address,
        "nonce": message["nonce"],
        "expiry": int(message["expiry"]),
        "signature": who.sign(typed),
    }


async def bodies(who: Member) -> dict[str, Any]:
    """A well-formed body for each route that changes something."""
    signature, zero = "0x" + "11" * 64 + "1b", "0x" + "00" * 20
    return {
        "/relay/delegate": await delegation(who),
        "/relay/vote": {
            "proposal": "1",
            "support": 1,
            "voter": who.address,
            "nonce": "0",
            "signature": signature,
        },
        "/relay/propose": {
            "proposer": who.address,
            "nonce": "0",
            "targets": [zero],
            "values": ["0"],
            "calldatas": ["0x"],
            "description": "x",
            "deadline": 1,
            "signature": signature,
        },
        "/relay/queue": {"proposal": "1"},
        "/relay/execute": {"proposal": "1"},
    }


def test_routes__that_change_something__are_those_that_are_tested_here() -> None:
    routes = [route for part in ROUTES for route in part.router.routes]
    found = [route.path for route in routes if getattr(route, "methods", set()) != {"GET"}]
    assert sorted(found) == sorted([*OPEN, *CHANGING, "/auth/logout"])


async def test_changing__as_anyone_but_the_signed_in_member__refused(stage: Stage) -> None:
    async with stage.open() as running, member(running, stage.members[0]) as who:
        known = await bodies(who)
        assert set(CHANGING) == set(known)
        for path, body in known.items():
            assert (await who.post(path, body, 401))["type"] == "no-session"
        assert (await who.post("/auth/logout", {}, 401))["type"] == "no-session"
        await who.get("/auth/session", 401)
        who.http.cookies.set("session", "made-up")
        assert (await who.post("/relay/queue", {"proposal": "1"}, 401))["type"] == "no-session"
        who.http.cookies.clear()
        await who.sign_in()
        token = who.http.headers.pop("X-CSRF-Token")
        for path, body in known.items():
            assert (await who.post(path, body, 403))["type"] == "csrf"
        who.http.headers["X-CSRF-Token"] = token
        who.http.headers["Origin"] = "https://evil.example"
        for path, body in known.items():
            assert (await who.post(path, body, 403))["type"] == "other-origin"
        assert (await who.post("/auth/nonce", {"address": who.address}, 403))["type"] == "other-origin"
        del who.http.headers["Origin"]
        async with member(running, stage.members[1]) as other:
            await other.sign_in()
            for path in ("/relay/vote", "/relay/propose"):
                assert (await other.post(path, known[path], 403))["type"] == "other-account"
            # whose delegation it is only its signature says
            assert (await other.post("/relay/delegate", known["/relay/delegate"], 422))[
                "type"
            ] == "bad-signature"
        session = next(iter(running.deps.sessions._sessions))
        old = running.deps.sessions._sessions[session]
        running.deps.sessions._clock = lambda: old.expires_at
        for path, body in known.items():
            assert (await who.post(path, body, 401))["type"] == "no-session"
        running.deps.sessions._clock = time.time
        assert running.deps.relayer is not None
        assert running.deps.relayer._jobs.list_pending() == []


async def test_logout__a_session__is_over(stage: Stage) -> None:
    async with stage.open() as running, member(running, stage.members[0]) as who:
        await who.sign_in()
        assert (await who.get("/auth/session"))["address"].lower() == who.address
        cookie = who.http.cookies["session"]
        await who.post("/auth/logout", {}, 204)
        who.http.cookies.set("session", cookie)
        await who.get("/auth/session", 401)


async def test_verify__the_cookie__no_script_reads_it_and_no_site_sends_it(stage: Stage) -> None:
    async with stage.open() as running, member(running, stage.members[0]) as who:
        said = await who.post("/auth/nonce", {"address": who.address})
        signature = hex_of(who.signer.sign(compute_text_digest(said["message"])))
        body = {"message": said["message"], "signature": signature}
        answer = await who.http.post(f"{BASE}/auth/verify", json=body)
        words = {word.strip().lower() for word in answer.headers["set-cookie"].split(";")}
        assert {"httponly", "samesite=strict", "path=/"} <= words
        assert answer.headers["cache-control"] == "no-store"
        assert (await who.post("/auth/verify", body, 401))["type"] == "nonce-used"


async def test_verify__again__ends_the_session_before(stage: Stage) -> None:
    async with stage.open() as running, member(running, stage.members[0]) as who:
        await who.sign_in()
        old = who.http.cookies["session"]
        await who.sign_in()
        assert who.http.cookies["session"] != old
        assert len(running.deps.sessions) == 1
        who.http.cookies.clear()
        who.http.cookies.set("session", old)
        await who.get("/auth/session", 401)


async def test_verify__behind_https__the_cookie_is_this_hosts_alone(stage: Stage) -> None:
    origin = "https://dao.example.org"
    async with stage.open(api={"origins": [origin]}) as running, member(running, stage.members[0]) as who:
        said = await who.post("/auth/nonce", {"address": who.address})
        signature = hex_of(who.signer.sign(compute_text_digest(said["message"])))
        body = {"message": said["message"], "signature": signature}
        cookie = (await who.http.post(f"{BASE}/auth/verify", json=body)).headers["set-cookie"]
        name, _, token = cookie.split(";")[0].partition("=")
        assert name == "__Host-session"
        assert {"Secure", "Path=/"} <= {word.strip() for word in cookie.split(";")}
        assert "domain" not in cookie.lower()
        for sent, code in (("__Host-session", 200), ("session", 401)):
            answer = await who.http.get(f"{BASE}/auth/session", headers={"Cookie": f"{sent}={token}"})
            assert answer.status_code == code


@pytest.mark.parametrize(
    "changes",
    [
        {"chainId": 1},
        {"verifyingContract": "0x" + "11" * 20},
        {"name": "AnotherToken"},
        {"nonce": "7"},
        {"expiry": "4102444800"},
        {"delegatee": "0x" + "22" * 20},
    ],
)
async def test_relay__a_signature_of_something_else__refused(stage: Stage, changes: Any) -> None:
    async with stage.open() as running, member(running, stage.members[0]) as who:
        await who.sign_in()
        body = await delegation(who, **changes)
        assert (await who.post("/relay/delegate", body, 422))["type"] == "bad-signature"


async def test_relay__forged_malleable_or_garbled__refused(stage: Stage) -> None:
    order = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
    async with stage.open() as running, member(running, stage.members[0]) as who:
        await who.sign_in()
        body = await delegation(who)
        raw = bytes.fromhex(body["signature"][2:])
        high = (order - int.from_bytes(raw[32:64], "big")).to_bytes(32, "big")
        twin = raw[:32] + high + bytes([27 + 28 - raw[64]])
        forged = Signer.ephemeral().sign(compute_digest(await _typed(who)))
        for signature in (twin, forged, bytes(65), b"\xff" * 65):
            problem = await who.post("/relay/delegate", {**body, "signature": hex_of(signature)}, 422)
            assert problem["type"] == "bad-signature"
        for text in ("0x", "0x12", hex_of(raw) + "00", "zz", hex_of(raw[:64])):
            assert (await who.post("/relay/delegate", {**body, "signature": text}, 422))["type"] == "invalid"


async def _typed(who: Member) -> Any:
    form = {"account": who.address, "contract": "token", "delegatee": who.address}
    return (await who.post("/prepare/delegate", form))["typed_data"][0]


async def test_relay__the_same_again__is_paid_once(stage: Stage) -> None:
    async with stage.open() as running, member(running, stage.members[2]) as who:
        await who.sign_in()
        body = await delegation(who)
        first = await who.post("/relay/delegate", body, 202)
        mined = await who.mined(first)
        again = await who.post("/relay/delegate", body, 202)
        assert again["id"] == first["id"]
        assert again["tx_hash"] == mined["tx_hash"]
        assert (await who.get(f"/relay/{mined['tx_hash']}")) == mined
        stale = await delegation(who)
        stale |= {"nonce": body["nonce"], "delegatee": "0x" + "33" * 20}
        typed = await _typed(who)
        typed["message"] |= {
            "nonce": body["nonce"],
            "delegatee": stale["delegatee"],
            "expiry": stale["expiry"],
        }
        stale["signature"] = who.sign(typed)
        assert (await who.post("/relay/delegate", stale, 409))["type"] == "nonce-used"


async def test_relay__nothing_to_delegate_and_no_proposal__not_paid_for(stage: Stage) -> None:
    stranger = Signer.ephemeral()
    async with stage.open() as running, member(running, stranger) as who:
        await who.sign_in()
        assert (await who.post("/relay/delegate", await delegation(who), 403))["type"] == "no-votes"
        assert (await who.post("/relay/queue", {"proposal": "1"}, 404))["type"] == "not-found"
        await who.get("/relay/0x" + "00" * 32, 404)
        await who.get("/relay/..%2f..%2fetc", 404)


async def test_requests__too_large_or_not_json__refused(stage: Stage) -> None:
    async with stage.open() as running, member(running, stage.members[0]) as who:
        path = f"{BASE}/auth/nonce"
        kind = {"Content-Type": "application/json"}
        big = await who.http.post(path, content=b"x" * 300_000, headers=kind)

        async def chunks() -> Any:
            for _ in range(30):
                yield b"x" * 10_000

        streamed = await who.http.post(path, content=chunks(), headers=kind)
        assert (big.status_code, streamed.status_code) == (413, 413)
        deep = await who.http.post(path, content=b"[" * 100_000, headers=kind)
        assert deep.status_code in (400, 422)
        form = await who.http.post(path, data={"address": who.address})
        assert form.status_code == 422
        for answer in (big, streamed, deep, form):
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["content-security-policy"].startswith("default-src 'self'")


async def test_relay__votes_and_proposals_signed_for_another_chain_by_another_or_again__refused(
    stage: Stage,
) -> None:
    ann, ben = stage.members[:2]
    async with stage.open() as running, member(running, ann) as who:
        await who.sign_in()
        await who.delegate()
        stage.pass_time(1)
        await caught_up(stage, running)
        draft = {"title": "x", "actions": [{"kind": "set_quorum", "fields": {"percent": 5}}]}
        ready = await who.post("/prepare/propose", {**draft, "account": who.address})
        form = {**ready["proposal"], "proposer": who.address}
        await refused(who, ben, "/relay/propose", form, ready["typed_data"][0])
        good = {**form, "signature": who.sign(ready["typed_data"][0])}
        await who.mined(await who.post("/relay/propose", good, 202))
        stage.pass_time(PARAMS.voting_delay + 1)
        await caught_up(stage, running)
        number = ready["proposal_id"]
        ballot = {"account": who.address, "proposal": number, "support": 1, "reason": "yes"}
        typed = (await who.post("/prepare/vote", ballot))["typed_data"][0]
        nonce = typed["message"]["nonce"]
        form = {"proposal": number, "support": 1, "voter": who.address, "nonce": nonce, "reason": "yes"}
        await refused(who, ben, "/relay/vote", form, typed)
        for change in ({"support": 0}, {"reason": "no"}, {"nonce": "7"}):
            problem = await who.post("/relay/vote", {**form, **change, "signature": who.sign(typed)}, 422)
            assert problem["type"] == "bad-signature"
        early = {**typed, "message": {**typed["message"], "nonce": "7"}}
        problem = await who.post("/relay/vote", {**form, "nonce": "7", "signature": who.sign(early)}, 409)
        assert (problem["type"], problem["detail"]) == ("nonce", f"nonce: expected {nonce}, got 7")
        good = {**form, "signature": who.sign(typed)}
        first = await who.mined(await who.post("/relay/vote", good, 202))
        assert (await who.post("/relay/vote", good, 202))["tx_hash"] == first["tx_hash"]
        again = await who.post("/prepare/vote", {**ballot, "support": 0})
        signature = who.sign(again["typed_data"][0])
        body = {**form, "support": 0, "nonce": again["nonce"], "signature": signature}
        assert (await who.post("/relay/vote", body, 409))["type"] == "voted"


async def refused(who: Member, other: Signer, path: str, form: dict[str, Any], typed: Any) -> None:
    """Send a form signed for another chain, for another contract, and by another."""
    for name, value in (("chainId", 1), ("verifyingContract", "0x" + "11" * 20)):
        foreign = {**typed, "domain": {**typed["domain"], name: value}}
        problem = await who.post(path, {**form, "signature": who.sign(foreign)}, 422)
        assert problem["type"] == "bad-signature"
    forged = hex_of(other.sign(compute_digest(typed)))
    assert (await who.post(path, {**form, "signature": forged}, 422))["type"] == "bad-signature"
