"""Which URLs may be gone to: what a tracker, a redirect or a ticket could smuggle in must not pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.outbound.address import allow_list, is_allowed, parse_address
from holdfast.outbound.refusals import NotAllowed

PASSWORD = "hunter2"  # no address in this repository has one in it, not even here
ALLOWED = allow_list(["mirror.example", "[2001:db8::1]:8443"], ["https://tracker.example:8443/api/v4"])


@pytest.mark.parametrize(
    "url",
    [
        "https://tracker.example:8443/tasks/1?x=1",
        "https://TRACKER.example.:8443/",
        "http://mirror.example/",
        "https://mirror.example/a",
        "https://[2001:db8::1]:8443/",
    ],
)
def test_a_host_of_the_list_is_allowed_at_its_port(url: str) -> None:
    assert is_allowed(parse_address(url), ALLOWED)


@pytest.mark.parametrize(
    "url",
    [
        "https://tracker.example/",
        "https://tracker.example:8444/",
        "https://mirror.example:8080/",
        "https://sub.mirror.example/",
        "https://mirror.example.evil.example/",
        "https://evil.example/?mirror.example",
        "https://evil.example#mirror.example",
        "http://2130706433/",
        "http://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
    ],
)
def test_another_host_or_port_is_not(url: str) -> None:
    assert not is_allowed(parse_address(url), ALLOWED)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://mirror.example/",
        "file:///etc/passwd",
        "//mirror.example/",
        "mirror.example",
        "",
        "https:///path",
        f"https://user:{PASSWORD}@mirror.example/",
        "https://mirror.example@evil.example/",
        "https://evil.example\\@mirror.example/",
        "https://mirror.example/\r\nHost: evil.example",
        "https://mirror.example/a b",
        "https://mirror.example/\x00",
        "https://mirröR.example/",
        "https://mirror.example:0/",
        "https://mirror.example:99999/",
        "https://mirror.example:port/",
        "https://[::1/",
        "https://mirror.example/" + "x" * 9000,
    ],
)
def test_what_is_no_plain_web_address_is_refused_with_a_reason(url: str) -> None:
    with pytest.raises(NotAllowed, match="expected"):
        parse_address(url)


def test_a_password_in_a_url_is_not_repeated_in_the_refusal() -> None:
    with pytest.raises(NotAllowed) as caught:
        parse_address(f"https://user:{PASSWORD}@mirror.example/")
    assert PASSWORD not in str(caught.value)


@given(st.text(alphabet="htps:/@\\?#.[]%mirorexaplev 0129\r\n\tT", max_size=60))
def test_whatever_is_allowed_goes_to_a_host_of_the_list_and_nowhere_else(text: str) -> None:
    try:
        address = parse_address(text)
    except NotAllowed:
        return
    assert address.target.startswith("/")
    assert f"//{address.host}" in text.lower().replace("[", "")
    assert is_allowed(address, ALLOWED) == ((address.host, address.port) in ALLOWED)


def test_an_entry_without_a_port_means_the_two_ports_of_the_web() -> None:
    assert allow_list(["one.example", "two.example:81"], []) == {
        ("one.example", 80),
        ("one.example", 443),
        ("two.example", 81),
    }
