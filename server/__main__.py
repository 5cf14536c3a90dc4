"""`python -m server …`"""

import os
import sys

if __name__ == "__main__":
    # One thread per process: parallelism is workers, and numeric libraries read these when first imported.
    for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(_variable, "1")
    from server.commands import main

    sys.exit(main())
