"""One file a symptom; each has `look(evidence)`, which returns a Finding or None."""
