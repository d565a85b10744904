"""Whatever is asked, the answer is as the API's description has it: made-up requests over every route, by Schemathesis."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from dao.api.application import ROUTES
from dao.core.types import hex_of
from dao.devnet.anvil import Anvil
from dao.gov.siwe import compute_text_digest
from tests.api.stage import BASE
from tests.api.trained import Trained, served, train

pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ALL = [
    (method, f"{BASE}{route.path}")
    for part in ROUTES
    for route in part.router.routes
    for method in sorted(getattr(route, "methods", ()))
]
GRANT = {"kind": "grant", "fields": {"to": "0x" + "11" * 20, "amount_wei": "1"}}
ENDLESS = f"{BASE}/events"
EXAMPLES = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class Site:
    """A running API, its description, and what there is in it."""

    def __init__(self, url: str, trained: Trained) -> None:
        self.url, self.trained = url, trained
        self.schema = schemathesis.openapi.from_url(f"{url}{BASE}/openapi.json")
        operator, account = trained.supernodes[0].operator, hex_of(trained.stage.members[0].address)
        self.known: dict[str, Any] = {
            "task": trained.task,
            "number": 2,
            "operator": hex_of(operator.address),
            **dict.fromkeys(("address", "account", "voter", "proposer", "delegatee", "owner"), account),
            "proposal": str(trained.proposal),
            "actions": [GRANT],
            "title": "A title",
        }

    def signed_in(self) -> requests.Session:
        session, signer = requests.Session(), self.trained.stage.members[0]
        body = {"address": hex_of(signer.address)}
        said = session.post(f"{self.url}{BASE}/auth/nonce", json=body, timeout=60).json()
        body = {
            "message": said["message"],
            "signature": hex_of(signer.sign(compute_text_digest(said["message"]))),
        }
        found = session.post(f"{self.url}{BASE}/auth/verify", json=body, timeout=60).json()
        session.headers["X-CSRF-Token"] = found["csrf"]
        return session


@pytest.fixture(scope="module")
def site(anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    trained = train(anvil, tmp_path_factory.mktemp("trained"))
    with served(trained.stage) as running:
        yield Site(running.url, trained)


def cases_of(operation: Any) -> st.SearchStrategy[schemathesis.Case[Any]]:
    """Requests that the description allows, and such that it does not."""
    good = operation.as_strategy()
    takes = operation.body or operation.path_parameters or operation.query
    return st.one_of(good, operation.as_strategy(GenerationMode.NEGATIVE)) if takes else good


def test_routes__all__are_in_the_description(site: Site) -> None:
    operations: Iterable[Any] = site.schema.get_all_operations()
    described = {(each.ok().method.upper(), each.ok().full_path) for each in operations}
    assert described == set(ALL)


@pytest.mark.parametrize("signed_in", [False, True], ids=["anonymous", "signed-in"])
@pytest.mark.parametrize(("method", "path"), [route for route in ALL if route[1] != ENDLESS])
def test_answers__to_made_up_requests__as_described(
    site: Site, method: str, path: str, signed_in: bool
) -> None:
    session = site.signed_in() if signed_in else requests.Session()
    operation = site.schema[path][method]

    @EXAMPLES
    @given(cases_of(operation), st.booleans())
    def ask(case: schemathesis.Case[Any], known: bool) -> None:
        if known:
            for part in (case.path_parameters, case.body if isinstance(case.body, dict) else {}):
                part.update({name: value for name, value in site.known.items() if name in part})
        case.headers.pop("X-CSRF-Token", None)  # the session has it
        case.validate_response(case.call(session=session, timeout=60), checks=CHECKS)

    ask()


@EXAMPLES
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=64))
def test_events__whatever_the_last_event__begin_with_the_status(site: Site, last: str) -> None:
    headers = {"Last-Event-ID": last}
    with requests.get(f"{site.url}{ENDLESS}", headers=headers, stream=True, timeout=60) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = (line for line in answer.iter_lines(chunk_size=1) if line.startswith(b"event: "))
        assert next(lines) == b"event: status"
        if last:  # of another run, so everything is to be read again
            assert next(lines) == b"event: reorg"
