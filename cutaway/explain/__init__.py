"""What happens in a network, as arithmetic: chain rule, forward pass, attributions."""

from cutaway.callable_package import make_callable
from cutaway.explain.attribution import attribute
from cutaway.explain.attribution_story import Attribution
from cutaway.explain.convolution_views import FeatureMaps, Filters, feature_maps, filters
from cutaway.explain.convolution_window import ConvolutionWindow
from cutaway.explain.explanation import Explanation, explain
from cutaway.explain.flow import FlowStory
from cutaway.explain.forward import ForwardStory
from cutaway.explain.gates import Gates
from cutaway.explain.gradcam import GradCam, grad_cam
from cutaway.explain.gradient import Factor, GradientStory, Path
from cutaway.explain.joint_attribution import JointAttribution
from cutaway.explain.layer_story import LayerStory
from cutaway.explain.loss_story import LossStory
from cutaway.explain.pixels import PixelEvidence, pixel_evidence
from cutaway.explain.rule_story import RuleStory
from cutaway.explain.sequences import AttentionMaps, HiddenStates, attention_maps, hidden_states
from cutaway.explain.through_time import ThroughTime
from cutaway.explain.update import explain_update
from cutaway.explain.update_story import UpdateStory

make_callable(__name__, explain)

__all__ = [
    "Attribution",
    "AttentionMaps",
    "ConvolutionWindow",
    "Explanation",
    "Factor",
    "FeatureMaps",
    "Filters",
    "FlowStory",
    "ForwardStory",
    "Gates",
    "GradCam",
    "GradientStory",
    "HiddenStates",
    "JointAttribution",
    "LayerStory",
    "LossStory",
    "Path",
    "PixelEvidence",
    "RuleStory",
    "ThroughTime",
    "UpdateStory",
    "attention_maps",
    "attribute",
    "explain_update",
    "feature_maps",
    "filters",
    "grad_cam",
    "hidden_states",
    "pixel_evidence",
]
