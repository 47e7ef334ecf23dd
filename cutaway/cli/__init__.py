"""The command line: parses, calls the public API, prints."""

__all__ = ["main"]


def main() -> None:
    """Entry point of the `cutaway` command."""
    import gc

    # imports and traces make hundreds of thousands of objects that stay: looking through them for
    # garbage every 700 was a tenth of the time of `cutaway train`
    gc.set_threshold(50_000)
    from cutaway.cli.app import run

    run()
