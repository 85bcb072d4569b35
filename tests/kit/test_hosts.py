"""One reading of a Host header for the API and for the pages."""

import pytest

from app.kit.hosts import bare_host


@pytest.mark.parametrize(
    ("given", "host"),
    [
        (b"bay.example", b"bay.example"),
        (b"Bay.EXAMPLE:8000", b"bay.example"),
        (b"bay.example:", b"bay.example"),
        (b"bay.example.", b"bay.example"),
        (b"bay.example.:443", b"bay.example"),
        (b"127.0.0.1:80", b"127.0.0.1"),
        (b"[::1]", b"[::1]"),
        (b"[::FFFF:1.2.3.4]:80", b"[::ffff:1.2.3.4]"),
        (b"xn--mnchen-3ya.example", b"xn--mnchen-3ya.example"),
        (b"", b""),
        (b".", b""),
        (b":80", b""),
        (b"::1", b""),
        (b"[::1", b""),
        (b"bay.example:80:80", b""),
        (b"bay.example:http", b""),
    ],
)
def test_a_host_is_told_without_capitals_port_and_final_dot(given: bytes, host: bytes) -> None:
    assert bare_host(given) == host
