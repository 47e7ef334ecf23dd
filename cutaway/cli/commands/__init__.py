"""What the commands take; what they do stands in the files beside this folder."""
