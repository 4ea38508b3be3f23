"""The Python process that runs the job's operators."""

import gc


def spare_imports() -> None:
    """Keep what was imported from being looked through again whenever Python collects cyclic garbage.

    Beam and PyFlink bring hundreds of thousands of objects that stay to the end. A full collection over them takes a
    tenth of a second and more, and under load one collection follows the other.
    """
    gc.collect()
    gc.freeze()
