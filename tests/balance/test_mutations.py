"""The list of mutations is run by hand, for it takes minutes; that it still fits the code is seen at once."""

from __future__ import annotations

import pytest

from tests.balance.mutations import LAW, MUTATIONS, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.what)
def test_what_it_replaces_stands_once_in_the_code(mutation: Mutation) -> None:
    text = (LAW / mutation.file).read_text()
    assert text.count(mutation.old) == 1 and mutation.new != mutation.old
