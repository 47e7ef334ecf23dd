"""Faults: kills, flipped bits, full disks. What was written is there, what is damaged is said."""
