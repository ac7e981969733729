"""python -m covcore"""

import sys

from covcore.cli import main

if __name__ == "__main__":
    sys.exit(main())
