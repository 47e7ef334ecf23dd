"""The command line: parses, calls the public API, prints."""

__all__ = ["main"]


def main() -> None:
    """Entry point of the `cutaway` command."""
    import atexit
    import gc

    # Imports and traces make a million objects, nearly all of which stay. To look through them for
    # garbage after every 700, and once more at exit, was a fifth of `cutaway train` on a small
    # table.
    gc.set_threshold(50_000)
    atexit.register(gc.freeze)
    from cutaway.cli.app import run

    run()
