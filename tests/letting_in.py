"""A server that people sign in to, and somebody in a browser who does."""

import html
import re
from contextlib import asynccontextmanager
from urllib.parse import urljoin, urlsplit

import httpx

from processes import backend, free_port, http_server

SEAL = "0123456789abcdef" * 4


def lets_in(address, key, access="read"):
    """What somebody does in a browser: opens the address, gives the key, and goes where the page leads."""
    with httpx.Client(trust_env=False, timeout=60) as browser:
        page = browser.get(address)
        assert page.status_code == 200, page.text
        sealed = html.unescape(re.search(r'name="request" value="([^"]+)"', page.text)[1])
        form = {"request": sealed, "key": key, "access": access, "answer": "yes"}
        answer = browser.post(
            urljoin(address, "/sign-in"),
            data=form,
            headers={"origin": "{0.scheme}://{0.netloc}".format(urlsplit(address))},
        )
        assert answer.is_redirect, answer.text
        assert key not in answer.headers["location"]
        return browser.get(answer.headers["location"])


@asynccontextmanager
async def served(folder, *arguments):
    """A server that people sign in to, in front of a backend of its own: its address, and a key of that backend."""
    port = free_port()
    (folder / "backend").mkdir()
    async with backend(folder / "backend", port, "--no-desk") as said:
        key = re.search(r"dlv_\S+", said)[0]
        upstream = {"AURAL_BASE_URL": f"http://127.0.0.1:{port}/api/v1", "AURAL_STATE_KEYS": SEAL}
        async with http_server(folder / "server", "--sign-in", "key", *arguments, **upstream) as url:
            yield url, key
