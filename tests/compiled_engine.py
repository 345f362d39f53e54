"""A pytest plugin: `-p tests.compiled_engine` runs tests against what scripts/compile made.

`PLAIT_TEST_COMPILED` is the folder of the build.
"""

import os
from pathlib import Path

from server.operating import compiled

assert compiled.use(folder=Path(os.environ["PLAIT_TEST_COMPILED"])), "there is no fresh build"
