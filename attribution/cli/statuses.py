"""The exit statuses, which are the same for every verb."""

from typing import Final

DONE: Final = 0
FAILED: Final = 1
WRONG_COMMAND: Final = 2
DONE_IN_PART: Final = 3

#: What each exit status says.
STATUSES: Final = {
    "0": "The work is done, or the question is answered.",
    "1": (
        "The work is not done, or the question is not answered, because of what was found: a file or a lake that "
        "cannot be read or written, logs that are none, more rejected rows than allowed, a broker that does not "
        "answer. If the verb writes a lake or a file, what was there before is still there."
    ),
    "2": (
        "The command is wrong, whatever the files hold: an unknown verb or option, a value or a setting that cannot be "
        "read or does not fit, a URL in the place of a path. Nothing was done."
    ),
    "3": (
        "The work is done, and something was left out or found wanting, as the verb's help says: rejected rows, topics "
        "that will not do, a misattribution with `--fail-on-misattribution`."
    ),
    "129, 130, 143": (
        "A signal ended the run: 128 and its number, so 130 for Ctrl-C and 143 for SIGTERM. What was being written is "
        "removed, and what was there before is still there. `lake` and `forward` run until they are stopped: they "
        "finish what is open, and end with 0."
    ),
}
