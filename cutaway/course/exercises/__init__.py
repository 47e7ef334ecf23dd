"""The kinds of exercises, one file each; each is found by being here."""
