"""The services of compose.yaml as processes of this computer, on free ports and with a database of the test's."""

import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from processes import free_port, settings_for

ROOT = Path(__file__).parent.parent
COMPOSE = (ROOT / "compose.yaml").read_text(encoding="utf-8")
DATABASE = re.compile(r"postgresql\+psycopg://aural@db/aural")
SECRET = {"AURAL_DB_PASSWORD": "of-your-choice", "AURAL_STATE_KEYS": "0123456789abcdef" * 4}
"""What has no default."""
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?+])([^}]*))?\}")


def filled(text, environment):
    """A text as Compose fills its variables in."""

    def value(found):
        name, how, rest = found.groups()
        given = environment.get(name, "")
        if how == "+":
            return rest if given else ""
        assert given or how == "-", f"{name} is not set: {rest}"
        return given or rest

    return VARIABLE.sub(value, text)


@dataclass
class Service:
    """One service: what is started, with what settings, and how its health is looked at."""

    command: list[str]
    environment: dict[str, str]
    health: list[str]


class Composed:
    """The file with ports of our own for its own, which are asked for by the latter."""

    def __init__(self, database, **given):
        numbers = set(re.findall(r"\b(?:84|94)\d\d\b", re.sub("#.*", "", COMPOSE))) | {"8409"}
        self.ports = {each: str(free_port()) for each in sorted(numbers)}
        text = DATABASE.sub(lambda _: database, self.ported(filled(COMPOSE, {**SECRET, **given})))
        self.services = yaml.safe_load(text)["services"]

    def ported(self, text):
        return re.sub(r"\b(?:84|94)\d\d\b", lambda found: self.ports.get(found[0], found[0]), text)

    def url(self, port, path=""):
        return f"http://127.0.0.1:{self.ports[port]}{path}"

    def service(self, name):
        each = self.services[name]
        health = each.get("healthcheck", {}).get("test", [])[1:]
        settings = {setting: str(value or "") for setting, value in each.get("environment", {}).items()}
        return Service(each.get("command", []), settings, health)

    @contextmanager
    def running(self, name, folder, binaries=None, **more):
        """A service of ours as a process, from when its health check succeeds.

        Args:
            binaries: where its programs are, if not beside the tests' own.
            more: settings besides those of the file.
        """
        python = str(binaries / "python") if binaries else sys.executable
        service = self.service(name)
        settings = settings_for(folder / name, **service.environment, **more)
        command = [python, "-u", "-m", "aural_mcp", *service.command]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        with subprocess.Popen(command, env=settings, **pipes) as process:
            try:
                self.wait(process, [python if word == "python" else word for word in service.health])
                yield process
            finally:
                process.terminate()

    @contextmanager
    def proxy(self, folder, caddy):
        """Caddy with our Caddyfile, from when it answers."""
        at = {name: self.ported(text) for name, text in self.service("proxy").environment.items()}
        ours = {
            **at,
            "AURAL_MCP_REPLICAS": self.ported("127.0.0.1:8401 127.0.0.1:8402"),
            "AURAL_BACKENDS": self.ported("127.0.0.1:8411"),
            "AURAL_PROXY_PORT": self.ports["8409"],
            "AURAL_BIND": "127.0.0.1",
            "XDG_DATA_HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder),
        }
        command = [caddy, "run", "--config", ROOT / "deploy" / "Caddyfile", "--adapter", "caddyfile"]
        with (
            (folder / "caddy.log").open("w") as log,
            subprocess.Popen(command, env={**os.environ, **ours}, stderr=log) as process,
        ):
            try:
                check = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=4)"
                self.wait(process, [sys.executable, "-c", check, self.url("8409", "/healthz")])
                yield process
            finally:
                process.terminate()

    def wait(self, process, check):
        """Until the check succeeds."""
        end = time.monotonic() + 60
        while subprocess.run(check, capture_output=True, env=without_proxies()).returncode:
            assert process.poll() is None, process.stdout and process.stdout.read()
            assert time.monotonic() < end, f"not healthy: {check}"


def without_proxies():
    return {**os.environ, "no_proxy": "127.0.0.1,localhost", "NO_PROXY": "127.0.0.1,localhost"}
