"""What a network looks like and what happened in it. Never runs training."""

from cutaway.explain.attributed import Attribution
from cutaway.explain.attribution import attribute
from cutaway.explain.draw import Drawing, draw
from cutaway.explain.gradcam import GradCam, grad_cam
from cutaway.explain.pictures import FeatureMaps, Filters, feature_maps, filters
from cutaway.explain.sequences import AttentionMaps, HiddenStates, attention_maps, hidden_states
