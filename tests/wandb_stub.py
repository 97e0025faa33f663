"""A local server that speaks as much of W&B as runs need: it keeps what arrives, and can die in between."""

import gzip
import json
import os
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import wandb

ENTITY, PROJECT = "lab", "mk11"


def tear_down():
    """End W&B's service after its runs and their status threads, which would ask it and raise (0.31)."""
    if wandb.run is not None:
        with suppress(Exception):  # whatever a test has done to the server
            wandb.finish()
    for thread in threading.enumerate():
        if thread.name == "NetStatThr":
            thread.join(timeout=20)
    wandb.teardown()


@contextmanager
def without_account(home):
    """A user without an account or settings, whose pseudonyms have a key of their own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("NETRC", str(home / "netrc"))
        patch.setenv("MK11_PSEUDONYM_KEY", "a key for the tests alone")
        before = set(os.environ)
        try:
            yield patch
        finally:
            tear_down()  # W&B keeps its settings for the process: each test starts without them
            for name in set(os.environ) - before:
                os.environ.pop(name)


@contextmanager
def serving(home):
    """A server that the process's W&B talks to."""
    with without_account(home) as patch:
        stub = WandbStub()
        patch.setenv("WANDB_API_KEY", "a" * 40)
        patch.setenv("WANDB_BASE_URL", stub.url)
        try:
            yield stub
        finally:
            tear_down()
            stub.die()


@pytest.fixture
def no_account(tmp_path_factory):
    """No account on this machine; yields what changes the environment."""
    with without_account(tmp_path_factory.mktemp("home")) as patch:
        yield patch


@pytest.fixture
def server(no_account, tmp_path_factory):
    """A server of the test's own."""
    with serving(tmp_path_factory.mktemp("home")) as stub:
        yield stub


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        payload = json.dumps(self.server.stub.answer(self.command, self.path, body)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    do_GET = do_PUT = do_POST  # noqa: N815  names that http.server looks up


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that hangs up at its end is no news."""


class Runs(dict):
    """Per run id: `options` (as told to UpsertBucket), `config`, `history` rows, `summary`, `exit_code`."""

    def __missing__(self, name):
        self[name] = {"options": {}, "config": {}, "history": {}, "summary": {}, "exit_code": None}
        return self[name]


class WandbStub:
    """`url` answers until `die()`; `operations` lists what was asked, `runs` and `files` what has arrived."""

    def __init__(self):
        self.operations, self.runs, self.files, self.artifacts = [], Runs(), {}, []
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.stub = self
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def die(self):
        """Answer no more."""
        if not self.thread.is_alive():
            return
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def file(self, ending):
        """The one file that arrived with a name of this ending."""
        (content,) = [content for name, content in self.files.items() if name.endswith(ending)]
        return content

    def answer(self, method, path, body):
        if path.endswith("/graphql"):
            asked = json.loads(body)
            self.operations.append(asked.get("operationName"))
            return {"data": self._graphql(asked.get("operationName"), asked.get("variables") or {})}
        if path.endswith("/file_stream"):
            self._stream(path.split("/")[-2], json.loads(body))
            return {"exitcode": None, "limits": {}}
        if method == "PUT":
            self.files[path.removeprefix("/storage/")] = body
        return {}

    def _graphql(self, operation, variables):
        common = {
            "viewer": {"id": "u", "entity": ENTITY, "username": "u", "flags": "{}", "teams": {"edges": []}},
            "serverInfo": {
                "cliVersionInfo": {"max_cli_version": "9.9.9"},
                "latestLocalVersionInfo": None,
                "features": [],
            },
            "model": {"bucket": None},
            "project": {"artifact": None},
            "entity": {"organization": None},
        }
        answer = getattr(self, f"_{operation}", None)
        return {**common, **(answer(variables) if answer else {})}

    def _UpsertBucket(self, variables):  # noqa: N802  W&B's name
        run = self.runs[variables["name"]]
        told = {key: value for key, value in variables.items() if value is not None}
        run["options"] = {**told, **run["options"]}  # of the start
        run["config"] |= {k: v["value"] for k, v in json.loads(variables["config"] or "{}").items()}
        bucket = {
            "id": "UnVu",
            "name": variables["name"],
            "displayName": variables["displayName"] or "",
            "description": "",
            "config": "{}",
            "sweepName": variables.get("sweep") or "",
            "project": {"id": "p", "name": PROJECT, "entity": {"id": "e", "name": ENTITY}},
            "historyLineCount": 0,
        }
        return {"upsertBucket": {"bucket": bucket, "inserted": True, "configValidationErrors": None}}

    def _CreateRunFiles(self, variables):  # noqa: N802
        files = [
            {"name": n, "uploadUrl": f"{self.url}/storage/{variables['run']}/{n}"} for n in variables["files"]
        ]
        return {"createRunFiles": {"runID": "r", "uploadHeaders": [], "files": files}}

    def _CreateArtifact(self, variables):  # noqa: N802
        asked = variables["input"]
        name = asked["artifactCollectionName"]
        same = [n for n, other in enumerate(self.artifacts) if other["digest"] == asked["digest"]]
        if not same:
            self.artifacts.append(
                {"name": name, "digest": asked["digest"], "metadata": asked.get("metadata")}
            )
        number = same[0] if same else len(self.artifacts) - 1
        artifact = {
            "id": f"artifact{number}",
            "state": "COMMITTED" if same else "PENDING",
            "artifactSequence": {"latestArtifact": None},
        }
        return {"createArtifact": {"artifact": artifact}}

    def _CreateArtifactManifest(self, variables):  # noqa: N802
        return {"createArtifactManifest": {"artifactManifest": self._manifest(variables)}}

    def _UpdateArtifactManifest(self, variables):  # noqa: N802
        return {"updateArtifactManifest": {"artifactManifest": self._manifest(variables)}}

    def _manifest(self, variables):
        name = variables.get("artifactID") or variables["artifactManifestID"]
        url = f"{self.url}/storage/{name}/manifest.json"
        return {"id": name, "file": {"id": "f", "uploadUrl": url, "uploadHeaders": []}}

    def _CreateArtifactFiles(self, variables):  # noqa: N802
        edges = []
        for asked in variables["input"]["artifactFiles"]:
            place = f"{asked['artifactID']}/{asked['name']}"
            node = {
                "storagePath": place,
                "uploadUrl": f"{self.url}/storage/{place}",
                "uploadHeaders": [],
                "uploadMultipartUrls": None,
                "artifact": {"id": asked["artifactID"]},
            }
            edges.append({"node": node})
        return {"createArtifactFiles": {"files": {"edges": edges}}}

    def _CommitArtifact(self, variables):  # noqa: N802
        return {"commitArtifact": {"artifact": {"id": variables["artifactID"], "digest": "d"}}}

    def _stream(self, run, body):
        for name, part in body.get("files", {}).items():
            for line in part["content"]:
                if name == "wandb-history.jsonl":
                    row = json.loads(line)
                    self.runs[run]["history"][row["_step"]] = row
                elif name == "wandb-summary.json":
                    self.runs[run]["summary"] = json.loads(line)
        if body.get("complete"):
            self.runs[run]["exit_code"] = body.get("exitcode")
