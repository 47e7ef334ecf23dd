"""What a network looks like and what happened in it. Never runs training."""

from cutaway.explain.draw import Drawing, draw
from cutaway.explain.update import explain_update
from cutaway.explain.update_story import UpdateStory
