"""The studio: a network that trains before one's eyes, with every number one click away."""
