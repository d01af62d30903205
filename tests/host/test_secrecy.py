"""What a person typed is repeated without its secrets, however wrong it was typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evse_host.secrecy import hide, hide_in, shown

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (f"mqtt://me:{SECRET}@broker", "mqtt://***"),
        (f"mqtt://me:{SECRET}@broker:1883/x", "mqtt://***"),
        (f"me:{SECRET}@broker", "***"),
        (f"mqtt:me:{SECRET}@broker", "***"),
        (f"mqtt:/me:{SECRET}@broker", "mqtt:/***"),
        (f"mqtt//me:{SECRET}@broker", "mqtt//***"),
        (f"mqtt;//me:{SECRET}@broker", "mqtt;//***"),
        (f"//me:{SECRET}@broker", "//***"),
        (f"mqtt:\\\\me:{SECRET}@broker", "mqtt:\\\\***"),
        (f" mqtt://me:p@{SECRET}@broker ", " mqtt://***"),
        (f"mqtt://me:my {SECRET}@broker", "mqtt://***"),
        (f"mqtt://me%3A{SECRET}%40broker", "mqtt://***"),
        (f"mqtt://me%253A{SECRET}%2540broker", "mqtt://***"),
        (f"mqtt://me:{SECRET}", "mqtt://me:***"),
        (f"mqtt://me:1{SECRET}", "mqtt://me:***"),
        (f"mqtt://broker:1883?password={SECRET}", "mqtt://broker:1883?password=***"),
        (f"broker#{SECRET}", "broker#***"),
        (f"token={SECRET}", "token=***"),
        (f"socket://me:{SECRET}@host:2000", "socket://***"),
    ],
)
def test_what_may_be_a_secret_is_hidden(typed, said):
    assert hide(typed) == said and SECRET not in shown(typed)


@pytest.mark.parametrize(
    "typed",
    ["broker", "192.168.1.10", "192.168.1.10:1883", "mqtt://broker:1883", "http://x", "8080x", "0.0.0.0:99999",
     "mqtt://[fe80::1]:1883", "[::1]:8080", "mqtt://[::1", "rfc2217://host:2217?ign_set_control",
     "/dev/ttyUSB0", "mqtt://b/topic", "20:15:30", "", "50 %"],
)  # fmt: skip
def test_what_is_none_is_repeated(typed):
    assert hide(typed) == typed and shown(typed) == repr(typed)


def test_what_is_no_text_is_shown_as_it_is():
    assert (shown(5), shown(None), shown(["x"])) == ("5", "None", "['x']")


@given(
    st.text(min_size=6, alphabet=st.characters(blacklist_categories=("Cs",))),
    st.sampled_from(["", "mqtt://", "/", "mqtt:/"]),
)
def test_a_password_before_an_at_sign_is_never_repeated(password, scheme):
    assert password not in hide(f"{scheme}me:{password}@x") or password in scheme


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (f"Invalid value for 'X': 'mqtt://me:{SECRET}@x' is wrong", "Invalid value for 'X': 'mqtt://***' is wrong"),
        (f"unexpected argument (me:{SECRET}@x)", "unexpected argument ***"),
        ("/home/me@work/config.yaml:3: x", "/home/me@work/config.yaml:3: x"),
        ("2026-11-26 14:00:00,123 INFO evse: connected to broker mqtt://x:1883", None),
    ],
)
def test_an_address_with_a_password_inside_a_message_is_hidden(message, said):
    assert hide_in(message) == (said or message)
