"""A local server that answers what W&B asks at the start of a run, and can die afterwards."""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RUN = {
    "id": "UnVu",
    "name": "stub",
    "displayName": "stub",
    "description": "",
    "config": "{}",
    "sweepName": "",
    "project": {"id": "p", "name": "mk11", "entity": {"id": "e", "name": "lab"}},
    "historyLineCount": 0,
}
ANSWER = {
    "viewer": {"id": "u", "entity": "lab", "username": "u", "flags": "{}", "teams": {"edges": []}},
    "serverInfo": {
        "cliVersionInfo": {"max_cli_version": "9.9.9"},
        "latestLocalVersionInfo": None,
        "features": [],
    },
    "model": {"bucket": None},
    "upsertBucket": {"bucket": RUN, "inserted": True, "configValidationErrors": None},
    "createRunFiles": {"runID": "stub", "uploadHeaders": [], "files": []},
    "entity": {"organization": None},
}


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "graphql" in self.path:
            text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
            self.server.operations.append(json.loads(text).get("operationName"))
        answer = {"data": ANSWER} if "graphql" in self.path else {"exitcode": None, "limits": {}}
        payload = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    do_GET = do_PUT = do_POST  # noqa: N815  names that http.server looks up


class WandbStub:
    """`url` answers until `die()`; `operations` lists what was asked."""

    def __init__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.operations = self.operations = []
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def die(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
