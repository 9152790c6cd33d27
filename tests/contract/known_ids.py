"""Half of all calls go to things that exist; a stranger's ids alone would only ever meet "not found"."""

import json
import os
import zlib

import schemathesis

IDS = json.loads(os.environ["RIALTO_IDS"])


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if path_parameters and zlib.crc32(repr(path_parameters).encode()) % 2:
        known = {"id": IDS["community"], **IDS}
        return {name: known.get(name, value) for name, value in path_parameters.items()}
    return path_parameters
