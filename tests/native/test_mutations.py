"""The list of mutations is run by hand, for it takes long; that it still fits the code is seen at once."""

from __future__ import annotations

import pytest

from tests.native.harness import ROOT
from tests.native.mutations import MUTATIONS, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.what)
def test_what_it_replaces_stands_once_in_the_code(mutation: Mutation) -> None:
    text = (ROOT / "components/esp32evse" / mutation.file).read_text()
    assert text.count(mutation.old) == 1 and mutation.new != mutation.old
