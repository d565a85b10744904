"""A sign-in is good once, here, now, for its signer; a session is only its token's."""

from dataclasses import dataclass, replace

import pytest

from dao.api.auth import sessions
from dao.api.auth.sessions import NONCE_SECONDS, SESSION_SECONDS, Sessions, Site
from dao.api.http.problems import Problem
from dao.chain.signer import Signer
from dao.core.types import Address
from dao.gov.siwe import SignIn, compute_text_digest

SITE = Site("dao.example", "https://dao.example", 31337)
SIGNER = Signer.ephemeral()


@dataclass
class Clock:
    now: float = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def known(clock: Clock) -> Sessions:
    return Sessions((SITE,), clock)


def signed(said: SignIn, signer: Signer = SIGNER) -> tuple[str, bytes]:
    text = said.dump()
    return text, signer.sign(compute_text_digest(text))


def refused(known: Sessions, said: SignIn, signer: Signer = SIGNER) -> str:
    with pytest.raises(Problem) as problem:
        known.sign_in(*signed(said, signer))
    assert problem.value.status == 401
    return problem.value.kind


def test_sign_in__an_invitation_signed__a_session(known: Sessions) -> None:
    token, session = known.sign_in(*signed(known.make_sign_in(SIGNER.address, SITE)))
    assert session.address == SIGNER.address
    assert known.find(token) == session
    assert known.find(token + "x") is None
    assert known.find(None) is None
    assert token not in repr(vars(known))


def test_sign_in__the_same_again__refused(known: Sessions) -> None:
    said = known.make_sign_in(SIGNER.address, SITE)
    known.sign_in(*signed(said))
    assert refused(known, said) == "nonce-used"


@pytest.mark.parametrize(
    "changes",
    [
        {"domain": "evil.example"},
        {"uri": "https://evil.example"},
        {"chain_id": 1},
        {"version": 2},
        {"statement": "Give me everything."},
        {"issued_at": 1_789_000_000.0},
        {"issued_at": 1_791_000_000.0},
    ],
)
def test_sign_in__for_another_site_chain_or_time__refused(
    known: Sessions, changes: dict[str, object]
) -> None:
    said = replace(known.make_sign_in(SIGNER.address, SITE), **changes)  # type: ignore[arg-type]
    assert refused(known, said) == "bad-message"


def test_sign_in__a_nonce_made_up_or_of_another_account__refused(known: Sessions) -> None:
    said = known.make_sign_in(SIGNER.address, SITE)
    assert refused(known, replace(said, nonce="0" * 16 + "ffffffffff" + "0" * 32)) == "bad-nonce"
    assert refused(known, replace(said, nonce="g" * 58)) == "bad-nonce"
    other = known.make_sign_in(Address(bytes(20)), SITE)
    assert refused(known, replace(said, nonce=other.nonce)) == "bad-nonce"
    assert refused(Sessions((SITE,), Clock()), said) == "bad-nonce"


def test_sign_in__signed_by_another__refused_and_the_nonce_still_good(known: Sessions) -> None:
    said = known.make_sign_in(SIGNER.address, SITE)
    assert refused(known, said, Signer.ephemeral()) == "bad-signature"
    with pytest.raises(Problem, match="signature"):
        known.sign_in(said.dump(), bytes(65))
    known.sign_in(*signed(said))


def test_sign_in__too_late__refused(known: Sessions, clock: Clock) -> None:
    said = known.make_sign_in(SIGNER.address, SITE)
    clock.now += NONCE_SECONDS + 1
    assert refused(known, replace(said, issued_at=clock.now)) == "expired"
    assert refused(known, replace(said, issued_at=clock.now, expires_at=clock.now)) == "expired"


def test_find__past_its_end__none_and_forgotten(known: Sessions, clock: Clock) -> None:
    token, session = known.sign_in(*signed(known.make_sign_in(SIGNER.address, SITE)))
    assert session.expires_at == clock.now + SESSION_SECONDS
    clock.now = session.expires_at
    assert known.find(token) is None
    assert len(known) == 0


def test_end__a_session__gone(known: Sessions) -> None:
    token, _ = known.sign_in(*signed(known.make_sign_in(SIGNER.address, SITE)))
    known.end(token)
    assert known.find(token) is None


def test_sessions__many__bounded_in_memory(
    known: Sessions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_MAX_SESSIONS", 3)
    monkeypatch.setattr(sessions, "_MAX_USED", 5)
    tokens = [known.sign_in(*signed(known.make_sign_in(SIGNER.address, SITE)))[0] for _ in range(5)]
    assert [known.find(token) is not None for token in tokens] == [False, False, True, True, True]
    with pytest.raises(Problem, match="too many sign-ins"):
        known.sign_in(*signed(known.make_sign_in(SIGNER.address, SITE)))
    clock.now += NONCE_SECONDS
    known.sign_in(*signed(known.make_sign_in(SIGNER.address, SITE)))
