"""Field values as they stand on the wire, parsed and printed as the charger does it."""

from collections.abc import Iterator, Sequence

from ..catalog import INTEGER_RANGES, MAX_STRING_BYTES, Command, Field

Value = int | str

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
_UNESCAPED = {ord("\\"): "\\", ord('"'): '"', ord("n"): "\n"}
_ACCESS = {"R": "RO", "W": "WO", "RW": "RW"}


class FieldError(ValueError):
    """The charger answers ERROR to this argument."""


def encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def split_arguments(fields: Sequence[Field], data: bytes) -> Iterator[Value]:
    """Yields the written values one by one, as the charger takes them; raises FieldError where it stops.

    A value is already yielded, and perhaps applied, when what follows it turns out wrong. Read-only fields are skipped
    over but yielded too, so that positions stay those of ``fields``.
    """
    for field in fields:
        value, data = _take_string(data) if field.type == "str" else _take_integer(field.type, data)
        yield value
        if not data:
            return
        data = data[1:]  # the comma
    raise FieldError("more arguments than fields")


def _take_integer(type_: str, data: bytes) -> tuple[int, bytes]:
    digits, comma, _ = data.partition(b",")
    text = digits.decode("latin-1")
    number = text[1:] if type_.startswith("i") and text[:1] in ("+", "-") else text
    if not (number.isascii() and number.isdigit()):
        raise FieldError(f"{text!r} is not a number")
    value = int(number) % 2**64  # the charger does not check for overflow of its 64 bits
    value = -value if text.startswith("-") else value
    low, high = INTEGER_RANGES[type_]
    if not low <= value <= high:
        raise FieldError(f"{value} does not fit {type_}")
    return value, data[len(digits) :] if comma else b""


def _take_string(data: bytes) -> tuple[str, bytes]:
    if data[:1] != b'"':
        raise FieldError("a string needs quotes")
    result = bytearray()
    at = 1
    while at < len(data) and data[at] != ord('"'):
        if data[at] == ord("\\"):
            at += 1
            if at >= len(data) or data[at] not in _UNESCAPED:
                raise FieldError("unknown escape")
            result += _UNESCAPED[data[at]].encode()
        else:
            result.append(data[at])
        at += 1
    rest = data[at + 1 :]
    if at >= len(data) or (rest and rest[:1] != b",") or len(result) > MAX_STRING_BYTES:
        raise FieldError("a string without end, or too long")
    return decode(bytes(result)), rest


def format_values(fields: Sequence[Field], values: Sequence[Value]) -> str:
    """`1,"ssid",""`: what stands behind the `=` of an answer."""
    return ",".join(_format(field, value) for field, value in zip(fields, values, strict=True))


def _format(field: Field, value: Value) -> str:
    if field.type != "str":
        return str(value)
    if field.access == "W":
        return '""'
    return '"' + "".join(_ESCAPES.get(char, char) for char in str(value)) + '"'


def describe(command: Command, fields: Sequence[Field]) -> str:
    """`<STRING[RO]>,<UINT8[RO]>`: the answer to the test form."""
    return ",".join(f"<{_type_name(field)}[{_access(command, field)}]>" for field in fields)


def _type_name(field: Field) -> str:
    if field.type == "str":
        return "STRING"
    return ("INT" if field.type.startswith("i") else "UINT") + field.type[1:]


def _access(command: Command, field: Field) -> str:
    return _ACCESS[command.access if command.access in ("R", "W") else field.access]


def truncate(text: str) -> str:
    """The charger's string buffers hold 31 bytes."""
    return decode(encode(text)[:MAX_STRING_BYTES])
