"""The table of a network's layers."""

import itertools

import pytest

import cutaway as ct


def network(*sizes: int) -> ct.Sequential:
    return ct.Sequential(*(ct.Linear(a, b) for a, b in itertools.pairwise(sizes)))


@pytest.mark.parametrize(("count", "name"), [(2, "members.1"), (12, "members.1 to 11")])
def test_of_equal_members_the_first_is_shown_and_all_are_counted(count, name):
    net = ct.nn.Ensemble([network(4, 3, 1) for _ in range(count)])
    found = net.summary((4,))
    lines = str(found).splitlines()
    assert [line.split("  ")[0] for line in lines[2:5]] == ["members.0.0", "members.0.1", name]
    assert lines[4].endswith(f"{19 * (count - 1):,}")
    assert len(found.rows) == 2 * count  # all of them for programs
    assert (found.total, lines[-1].split()[-1]) == (19 * count, f"{19 * count:,}")
    assert f"<td>{name}</td>" in found.html()


def test_members_that_differ_are_all_shown_and_an_ensemble_may_be_within_a_network():
    net = ct.nn.Ensemble([network(4, 3, 1), network(4, 2, 1)])
    assert len(str(net.summary((4,))).splitlines()) == 4 + 4
    inner = ct.Sequential(ct.Linear(4, 4), ct.nn.Ensemble([network(4, 1), network(4, 1)]))
    nested = ct.nn.Ensemble([ct.nn.Ensemble([network(4, 1), network(4, 1)]) for _ in range(3)])
    shown = [line.split("  ")[0] for line in str(nested.summary((4,))).splitlines()[2:-2]]
    assert shown == ["members.0.members.0.0", "members.0.members.1", "members.1 to 2"]
    text = str(inner.summary((4,)))
    assert "1.members.0.0" in text and "1.members.1  the same layers" in " ".join(
        text.split(" " * 2)
    )
