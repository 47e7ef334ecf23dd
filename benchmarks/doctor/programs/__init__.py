"""The programs: importing this package enters all of them in case.FAULTS and case.HEALTHY."""

from . import data, flow, healthy, healthy_more, outputs, rates, start

__all__ = ["data", "flow", "healthy", "healthy_more", "outputs", "rates", "start"]
