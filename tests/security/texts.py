"""What hostile, clumsy and unlucky people type: texts for every string field, lines for every raw command.

A text is either taken as it is or refused; this table says which, by the one rule of the charger's protocol.
"""

from __future__ import annotations

from evse_host.catalog import COMMANDS, MAX_STRING_BYTES, Command, Field

#: name -> text
TEXTS = {
    "plain": "garage",
    "one": "x",
    "spaces": "  two  spaces  ",
    "quote": 'a"b',
    "only quotes": '"""',
    "closes the string": '","1',
    "next field": 'home","secret","more',
    "backslash": "a\\b",
    "backslash at the end": "ends\\",
    "backslash and quote": '\\"',
    "escapes, literally": r"a\nb\tc\"d\\e\0f",
    "comma": "1,2,3",
    "equals": "=?=",
    "command": "AT+RST",
    "command behind a quote": '"AT+RST',
    "barrier": "~",
    "echo": "ATE1",
    "answer": "+ENABLE=0",
    "result": "OK",
    "restart": "RDY",
    "percent": "%s%n%d%%",
    "html": "<script>alert(1)</script>",
    "jinja": "{{ 7*7 }}${x}",
    "yaml": "!secret wifi_password",
    "shell": "$(reboot);`id`",
    "30 bytes": "x" * 30,
    "30 bytes of UTF-8": "ü" * 15,
    "30 quotes": '"' * 30,
    "30 backslashes": "\\" * 30,
    "31 bytes": "x" * 31,
    "31 bytes of UTF-8": "x" + "ü" * 15,
    "31 quotes": '"' * 31,
    "31 backslashes": "\\" * 31,
    "emoji": "🚗⚡🔌",
    "accents": "Café Zoë",
    "right to left": "\u202etxt.exe",
    "line separator": "a\u2028b",
    "next line": "a\u0085b",
    "CSI of one byte": "a\u009b2Jb",
    "byte order mark": "\ufeffx",
    "line end": "a\nb",
    "line end and command": "a\nAT+RST",
    "command between line ends": "\nAT+RST\n",
    "carriage return": "a\rAT+ENABLE=0",
    "both": "a\r\nAT+RST\r\n",
    "closed, then a command": '"\nAT+CHCUR=630\n',
    "NUL": "a\0b",
    "only NUL": "\0",
    "NUL and command": "x\0\nAT+RST",
    "tab": "a\tb",
    "escape": "\x1b[2Jx",
    "backspace": "abc\b\b\b",
    "delete": "a\x7fb",
    "Ctrl-C": "\x03",
    "32 bytes": "x" * 32,
    "32 bytes of UTF-8": "ü" * 16,
    "a character over the border": "x" * 30 + "ü",
    "an emoji over the border": "x" * 29 + "🚗",
    "127 bytes": "y" * 127,
    "300 bytes": "z" * 300,
    "300 quotes": '"' * 300,
    "empty": "",
}

#: Raw lines that must not reach the charger, whoever insists: name -> line.
NEVER_LINES = {
    "no AT": "+STATE?",
    "empty": "",
    "space before": " AT+STATE?",
    "NUL before": "\0AT+STATE?",
    "two lines": "AT\nAT+RST",
    "line end behind": "AT+STATE?\n",
    "carriage return": "AT+STATE?\rAT+RST",
    "NUL inside": "AT+CHCUR=\x0060",
    "bell": "AT+STATE?\x07",
    "delete": "AT+STATE\x7f?",
    "behind an ambiguous name": "AT+EMETERC=AT+RST",
    "the same in lower case": "at+emeterc=at+rst",
    "twice ambiguous": "AT+E=AT+E=AT+RST",
    "too long": "AT+HOSTNAME=" + '"' + "x" * 200 + '"',
}


def is_taken(text: str, least: int = 0, most: int = MAX_STRING_BYTES) -> bool:
    """Whether a string field takes this text: `least` to `most` bytes, no control character of ASCII."""
    size = len(text.encode())
    control = any(ord(character) < 0x20 or ord(character) == 0x7F for character in text)
    return least <= size <= most and not control


def wire(text: str) -> str:
    """A text as it stands on the wire."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def string_fields() -> list[tuple[Command, Field]]:
    """Every string that can be written to the charger."""
    return [
        (command, field)
        for command in COMMANDS
        if "W" in command.access
        for field in command.fields
        if field.type == "str" and field.access != "R"
    ]
