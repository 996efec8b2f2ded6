"""The fuzzer's files for an import: the texts that it makes up, as they are."""

import json

import schemathesis


@schemathesis.serializer("application/jsonl", "application/x-ndjson")
def json_lines(_context, value):
    text = value if isinstance(value, str) else json.dumps(value)
    return {"data": text.encode("utf-8", "surrogatepass")}
