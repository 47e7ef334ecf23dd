"""What happens in a network, as arithmetic: chain rule, forward pass, attributions."""

import sys
import types

from cutaway.explain.attribution import attribute
from cutaway.explain.attribution_story import Attribution
from cutaway.explain.convolution_views import FeatureMaps, Filters, feature_maps, filters
from cutaway.explain.explanation import Explanation, explain
from cutaway.explain.flow import FlowStory
from cutaway.explain.forward import ForwardStory
from cutaway.explain.gradcam import GradCam, grad_cam
from cutaway.explain.gradient import Factor, GradientStory, Path
from cutaway.explain.sequences import AttentionMaps, HiddenStates, attention_maps, hidden_states
from cutaway.explain.update import explain_update
from cutaway.explain.update_story import UpdateStory

__all__ = [
    "Attribution",
    "AttentionMaps",
    "Explanation",
    "Factor",
    "FeatureMaps",
    "Filters",
    "FlowStory",
    "ForwardStory",
    "GradCam",
    "GradientStory",
    "HiddenStates",
    "Path",
    "UpdateStory",
    "attention_maps",
    "attribute",
    "explain",
    "explain_update",
    "feature_maps",
    "filters",
    "grad_cam",
    "hidden_states",
]


class _Callable(types.ModuleType):
    """Makes the package callable: `ct.explain(net, x, y, loss=...)`."""

    def __call__(self, *args, **options):
        return explain(*args, **options)


sys.modules[__name__].__class__ = _Callable
