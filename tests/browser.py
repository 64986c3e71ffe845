"""A headless Chromium that tests click in, by its debugging protocol; tests that want one are skipped where there is none."""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 60.0


class Page:
    """One page of a running browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse):
        self.socket, self.number = socket, 0

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.number += 1
        await self.socket.send_json({"id": self.number, "method": method, "params": parameters})
        async for message in self.socket:
            answer = json.loads(message.data)
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
        raise AssertionError("the browser has gone")

    async def value(self, script: str) -> Any:
        found = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def click(self, x: float, y: float) -> None:
        for kind, buttons in (("mousePressed", 1), ("mouseReleased", 0)):
            await self.call(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=buttons, clickCount=1
            )

    async def click_on(self, selector: str, across: float = 0.5, down: float = 0.5) -> None:
        box = await self.value(
            f"(() => {{ const box = document.querySelector({selector!r}).getBoundingClientRect();"
            "return [box.left, box.top, box.width, box.height]; })()"
        )
        await self.click(box[0] + across * box[2], box[1] + down * box[3])


def in_browser(page: Path, folder: Path, act: Callable[[Page], Awaitable[Any]]) -> Any:
    """Open a page in a browser of its own, whose files lie in ``folder``, and return what ``act`` does there."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no Chromium on this machine")
    command = [
        program,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--remote-debugging-port=0",
        "--no-first-run",
    ]
    command += [f"--user-data-dir={folder / 'profile'}", "--window-size=1400,900", page.as_uri()]
    browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert browser.stderr is not None
        port = next(found[1] for line in browser.stderr if (found := re.search(r"ws://127\.0\.0\.1:(\d+)/", line)))
        return asyncio.run(asyncio.wait_for(in_page(int(port), page.as_uri(), act), SECONDS))
    finally:
        browser.terminate()
        browser.wait(20)
        assert browser.stderr is not None
        browser.stderr.close()


async def in_page(port: int, address: str, act: Callable[[Page], Awaitable[Any]]) -> Any:
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [one for one in await answer.json() if one["url"] == address]
            if pages:
                break
            await asyncio.sleep(0.1)
        async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            page = Page(socket)
            while await page.value("document.readyState + location.href") != f"complete{address}":
                await asyncio.sleep(0.1)
            return await act(page)
