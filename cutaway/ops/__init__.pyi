# Written by scripts/write_stubs.py: do not edit.
from cutaway.engine import Activation as Activation
from cutaway.engine import Operation as Operation
from cutaway.ops import methods as methods
from cutaway.ops.activations import elu as elu
from cutaway.ops.activations import gelu as gelu
from cutaway.ops.activations import gelu_tanh as gelu_tanh
from cutaway.ops.activations import hard_sigmoid as hard_sigmoid
from cutaway.ops.activations import hard_swish as hard_swish
from cutaway.ops.activations import leaky_relu as leaky_relu
from cutaway.ops.activations import linear as linear
from cutaway.ops.activations import log_softmax as log_softmax
from cutaway.ops.activations import mish as mish
from cutaway.ops.activations import parametric_relu as parametric_relu
from cutaway.ops.activations import relu as relu
from cutaway.ops.activations import relu6 as relu6
from cutaway.ops.activations import selu as selu
from cutaway.ops.activations import sigmoid as sigmoid
from cutaway.ops.activations import silu as silu
from cutaway.ops.activations import softmax as softmax
from cutaway.ops.activations import softplus as softplus
from cutaway.ops.activations import swish as swish
from cutaway.ops.activations import tanh as tanh
from cutaway.ops.activations import threshold as threshold
from cutaway.ops.arithmetic import add as add
from cutaway.ops.arithmetic import divide as divide
from cutaway.ops.arithmetic import equal as equal
from cutaway.ops.arithmetic import greater as greater
from cutaway.ops.arithmetic import greater_equal as greater_equal
from cutaway.ops.arithmetic import less as less
from cutaway.ops.arithmetic import less_equal as less_equal
from cutaway.ops.arithmetic import matmul as matmul
from cutaway.ops.arithmetic import maximum as maximum
from cutaway.ops.arithmetic import minimum as minimum
from cutaway.ops.arithmetic import multiply as multiply
from cutaway.ops.arithmetic import not_equal as not_equal
from cutaway.ops.arithmetic import power as power
from cutaway.ops.arithmetic import subtract as subtract
from cutaway.ops.box_coding import decode_boxes as decode_boxes
from cutaway.ops.box_overlaps import box_iou as box_iou
from cutaway.ops.box_overlaps import complete_box_iou as complete_box_iou
from cutaway.ops.box_overlaps import generalized_box_iou as generalized_box_iou
from cutaway.ops.conv import convolution as convolution
from cutaway.ops.conv import pad_borders as pad_borders
from cutaway.ops.conv import transposed_convolution as transposed_convolution
from cutaway.ops.dot_product_attention import attention as attention
from cutaway.ops.dot_product_attention import attention_weights as attention_weights
from cutaway.ops.dot_product_attention import rotary as rotary
from cutaway.ops.elementwise import absolute as absolute
from cutaway.ops.elementwise import clip as clip
from cutaway.ops.elementwise import cos as cos
from cutaway.ops.elementwise import exp as exp
from cutaway.ops.elementwise import expm1 as expm1
from cutaway.ops.elementwise import log as log
from cutaway.ops.elementwise import log1p as log1p
from cutaway.ops.elementwise import negative as negative
from cutaway.ops.elementwise import sign as sign
from cutaway.ops.elementwise import sin as sin
from cutaway.ops.elementwise import smooth_clip as smooth_clip
from cutaway.ops.elementwise import sqrt as sqrt
from cutaway.ops.elementwise import square as square
from cutaway.ops.elementwise import where as where
from cutaway.ops.jax_function import from_jax as from_jax
from cutaway.ops.normalization import batch_norm as batch_norm
from cutaway.ops.normalization import group_norm as group_norm
from cutaway.ops.normalization import instance_norm as instance_norm
from cutaway.ops.normalization import layer_norm as layer_norm
from cutaway.ops.normalization import local_response_norm as local_response_norm
from cutaway.ops.normalization import moments as moments
from cutaway.ops.normalization import normalize as normalize
from cutaway.ops.normalization import rms_norm as rms_norm
from cutaway.ops.pooling import adaptive_average_pool as adaptive_average_pool
from cutaway.ops.pooling import average_pool as average_pool
from cutaway.ops.pooling import max_pool as max_pool
from cutaway.ops.recurrence import gru as gru
from cutaway.ops.recurrence import lstm as lstm
from cutaway.ops.recurrence import rnn as rnn
from cutaway.ops.reductions import argmax as argmax
from cutaway.ops.reductions import argmin as argmin
from cutaway.ops.reductions import logsumexp as logsumexp
from cutaway.ops.reductions import max as max
from cutaway.ops.reductions import mean as mean
from cutaway.ops.reductions import min as min
from cutaway.ops.reductions import std as std
from cutaway.ops.reductions import sum as sum
from cutaway.ops.reductions import var as var
from cutaway.ops.region_alignment import pyramid_roi_align as pyramid_roi_align
from cutaway.ops.region_alignment import roi_align as roi_align
from cutaway.ops.region_pooling import roi_pool as roi_pool
from cutaway.ops.resampling import upsample_linear as upsample_linear
from cutaway.ops.resampling import upsample_nearest as upsample_nearest
from cutaway.ops.shapes import astype as astype
from cutaway.ops.shapes import broadcast_to as broadcast_to
from cutaway.ops.shapes import concatenate as concatenate
from cutaway.ops.shapes import expand_dims as expand_dims
from cutaway.ops.shapes import flip as flip
from cutaway.ops.shapes import getitem as getitem
from cutaway.ops.shapes import one_hot as one_hot
from cutaway.ops.shapes import pad as pad
from cutaway.ops.shapes import reshape as reshape
from cutaway.ops.shapes import split as split
from cutaway.ops.shapes import squeeze as squeeze
from cutaway.ops.shapes import stack as stack
from cutaway.ops.shapes import take as take
from cutaway.ops.shapes import transpose as transpose
from cutaway.ops.turns import cos_turns as cos_turns
from cutaway.ops.turns import sin_turns as sin_turns

abs: Operation
ACTIVATION_FUNCTIONS: dict[str, Operation]
ACTIVATION_TRAITS: dict[str, Activation]

__all__ = [
    "ACTIVATION_FUNCTIONS",
    "ACTIVATION_TRAITS",
    "Activation",
    "Operation",
    "abs",
    "absolute",
    "adaptive_average_pool",
    "add",
    "argmax",
    "argmin",
    "astype",
    "attention",
    "attention_weights",
    "average_pool",
    "batch_norm",
    "box_iou",
    "broadcast_to",
    "clip",
    "complete_box_iou",
    "concatenate",
    "convolution",
    "cos",
    "cos_turns",
    "decode_boxes",
    "divide",
    "elu",
    "equal",
    "exp",
    "expand_dims",
    "expm1",
    "flip",
    "from_jax",
    "gelu",
    "gelu_tanh",
    "generalized_box_iou",
    "getitem",
    "greater",
    "greater_equal",
    "group_norm",
    "gru",
    "hard_sigmoid",
    "hard_swish",
    "instance_norm",
    "layer_norm",
    "leaky_relu",
    "less",
    "less_equal",
    "linear",
    "local_response_norm",
    "log",
    "log1p",
    "log_softmax",
    "logsumexp",
    "lstm",
    "matmul",
    "max",
    "max_pool",
    "maximum",
    "mean",
    "methods",
    "min",
    "minimum",
    "mish",
    "moments",
    "multiply",
    "negative",
    "normalize",
    "not_equal",
    "one_hot",
    "pad",
    "pad_borders",
    "parametric_relu",
    "power",
    "pyramid_roi_align",
    "relu",
    "relu6",
    "reshape",
    "rms_norm",
    "rnn",
    "roi_align",
    "roi_pool",
    "rotary",
    "selu",
    "sigmoid",
    "sign",
    "silu",
    "sin",
    "sin_turns",
    "smooth_clip",
    "softmax",
    "softplus",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "swish",
    "take",
    "tanh",
    "threshold",
    "transpose",
    "transposed_convolution",
    "upsample_linear",
    "upsample_nearest",
    "var",
    "where",
]
