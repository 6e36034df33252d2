"""A few seconds of everything at once; mixed_load.py does it for as long as one likes."""
import pytest

import mixed_load


@pytest.mark.parametrize("kind", ["fake", "allm"])
def test_everything_at_once(kind):
    counts, _, _ = mixed_load.run(kind, seconds=4, n_clients=6)
    assert len(counts) >= 10 and sum(counts.values()) > 40
