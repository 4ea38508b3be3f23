"""`python -m attribution`, and the script of that name: the command line."""

import os
import signal


def main() -> None:
    """Run the command line; Ctrl-C ends it also while it is loaded, when there is nothing to clean up."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda number, _frame: os._exit(128 + number))
    from attribution.cli import main as run  # noqa: PLC0415 - it takes a while

    run()


if __name__ == "__main__":
    main()
