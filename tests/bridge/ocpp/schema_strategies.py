"""Hypothesis strategies from OCPP's JSON schemas (draft 4 and 6, the parts that they use)."""

from __future__ import annotations

import hypothesis.strategies as st

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)
times = st.datetimes().map(lambda moment: moment.isoformat() + "Z") | st.text(max_size=10)


def from_schema(schema: dict, definitions: dict | None = None) -> st.SearchStrategy:
    definitions = definitions or schema.get("definitions", {})
    if "$ref" in schema:
        return from_schema(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind == "object":
        return _object(schema, definitions)
    if kind == "array":
        items = from_schema(schema.get("items", {}), definitions)
        return st.lists(items, min_size=schema.get("minItems", 0), max_size=min(schema.get("maxItems", 4), 4))
    if kind == "string":
        text = st.text(max_size=min(schema.get("maxLength", 60), 60))
        return times if schema.get("format") == "date-time" else text | st.sampled_from(["HOME", "1", "true"]).filter(
            lambda word: len(word) <= schema.get("maxLength", 60)
        )  # fmt: skip
    if kind == "integer":
        return st.integers(-3, 3) | st.integers(schema.get("minimum", -(2**40)), schema.get("maximum", 2**40))
    if kind == "number":
        return st.integers(-100, 10**6).map(lambda tenths: tenths / 10)
    return st.booleans() if kind == "boolean" else any_json


def _object(schema: dict, definitions: dict) -> st.SearchStrategy:
    fields = {name: from_schema(part, definitions) for name, part in schema.get("properties", {}).items()
              if name != "customData"}  # fmt: skip
    required = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: strategy for name, strategy in fields.items() if name in required},
        optional={name: strategy for name, strategy in fields.items() if name not in required},
    )
