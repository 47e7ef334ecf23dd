"""Networks are reached by name, and no name hides the file it stands in."""

import importlib

import pytest

from cutaway import models


def test_no_network_is_called_as_its_file():
    assert not set(models._HOMES) & set(models.__all__)


@pytest.mark.parametrize("name", models.__all__)
def test_every_name_is_where_it_is_said_to_be(name):
    home = importlib.import_module(f"cutaway.models.{models._HOME_OF[name]}")
    assert getattr(models, name) is getattr(home, name)


def test_an_unknown_network_is_answered_with_those_there_are():
    with pytest.raises(AttributeError, match=r"resnet51.*mlp"):
        models.resnet51  # noqa: B018
