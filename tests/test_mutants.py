"""The list of mutants fits the source: `make mutants` takes half an hour, and would notice late."""

import pytest

from mutants import MUTANTS, ROOT

SOURCE = [path.read_text() for path in (ROOT / "src").rglob("*.py")]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.old[:40])
def test_the_text_of_a_mutant_occurs_once_and_its_tests_are_there(mutant):
    assert sum(text.count(mutant.old) for text in SOURCE) == 1
    for name in mutant.tests.split():
        assert (ROOT / "tests" / f"test_{name}.py").is_file(), name
