"""What is wrong with a training, the evidence, and what to change."""
