"""2,600 requests that the OpenAPI document allows, against a served backend: none fails it or breaks its word.

python tests/bench/openapi.py [EXAMPLES [SEED]]

`tests/documents/test_openapi.py` makes 40 examples of each operation, this 130.
"""

import sys
import tempfile
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parent.parent))
from fuzzing import fuzzed


async def main(examples=130, seed=1):
    with tempfile.TemporaryDirectory() as folder:
        wrong, generated, passed = await fuzzed(Path(folder), examples, seed)
    print(wrong or f"{generated} requests made up, {passed} answered as the document says.")
    return 0 if generated == passed and not wrong else 1


if __name__ == "__main__":
    sys.exit(anyio.run(main, *map(int, sys.argv[1:])))
