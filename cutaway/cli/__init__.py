"""The command line: parses, calls the public API, prints."""

__all__ = ["main"]


def main() -> None:
    """Entry point of the `cutaway` command."""
    import atexit
    import gc
    import sys

    from cutaway.cli.ctrl_c import note_interrupts

    note_interrupts()
    # Imports and traces make a million objects, nearly all of which stay. To look through them for
    # garbage after every 700, and once more at exit, was a fifth of `cutaway train` on a small
    # table.
    gc.set_threshold(50_000)
    atexit.register(gc.freeze)
    try:
        from cutaway.cli.app import run

        run()
    except KeyboardInterrupt:  # while it was imported
        sys.exit(130)
