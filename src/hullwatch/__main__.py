"""``python -m hullwatch`` is ``hullwatch``."""

from hullwatch.cli.main import main

if __name__ == "__main__":
    main()
