"""`python -m attribution`: the command line, where no script of it is on the path."""

from attribution.cli import main

if __name__ == "__main__":
    main()
