"""Runs ``python -m genctl``."""

from genctl.cli.app import main

if __name__ == "__main__":
    main()
