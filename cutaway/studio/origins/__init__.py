"""Ways to a Subject, one file each: points of a plane, data, a run, a trainer or a network."""
