"""The exit statuses, which are the same for every verb."""

from typing import Final

DONE: Final = 0
FAILED: Final = 1

#: What each exit status says.
STATUSES: Final = {
    "0": "The work is done, or the question is answered.",
    "1": (
        "What was found stands in the way. A file or a lake cannot be read or written, logs are none, more rows were "
        "rejected than allowed, or a broker does not answer. What was there before is still there."
    ),
    "2": (
        "The command is wrong, whatever the files hold. A verb or option is unknown, a value or setting cannot be read "
        "or does not fit, or a URL stands in the place of a path. Nothing was done."
    ),
    "3": (
        "The work is done, but something was left out or found wanting, as the help of the verb says. Rows were "
        "rejected, topics will not do, or `--fail-on-misattribution` found one."
    ),
    "129, 130, 143": (
        "A signal ended the run: 130 for Ctrl-C, 143 for SIGTERM. What was being written is removed, and what was "
        "there before is still there. `lake` and `forward` run until they are stopped. They finish what is open, and "
        "end with 0."
    ),
}
