import pytest

from dao.runtime.proxies import spare_loopback

PROXY = {"http_proxy": "http://proxy.hospital.example:3128"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "localhost,127.0.0.1,::1"),
        ({"no_proxy": ".hospital.example, localhost"}, ".hospital.example,localhost,127.0.0.1,::1"),
        ({"NO_PROXY": "*"}, "*,localhost,127.0.0.1,::1"),
        ({"no_proxy": "", "NO_PROXY": "intern"}, "intern,localhost,127.0.0.1,::1"),
    ],
)
def test_spare_loopback__a_proxy__this_machine_joins_the_exceptions(
    given: dict[str, str], expected: str
) -> None:
    environment = PROXY | given
    spare_loopback(environment)
    assert environment == PROXY | {"no_proxy": expected, "NO_PROXY": expected}


@pytest.mark.parametrize("given", [{}, {"PATH": "/bin"}, {"no_proxy": "intern"}])
def test_spare_loopback__no_proxy__nothing_changes(given: dict[str, str]) -> None:
    environment = dict(given)
    spare_loopback(environment)
    assert environment == given
