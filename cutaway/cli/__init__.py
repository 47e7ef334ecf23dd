"""The command line: parses, calls the public API, prints."""

__all__ = ["main"]


def main() -> None:
    """Entry point of the `cutaway` command."""
    from cutaway.cli.app import run

    run()
