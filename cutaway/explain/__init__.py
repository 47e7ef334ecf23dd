"""What a network looks like and what happened in it. Never runs training."""

from cutaway.explain.draw import draw
from cutaway.explain.page import write_page
from cutaway.explain.svg import Drawing
