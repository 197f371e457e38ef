"""How windows of one browser share what the server tells them."""

from __future__ import annotations

from browser import serving, wait_until


def state(page) -> str:
    return page.evaluate("document.getElementById('connection').dataset.state || ''")


def test_more_windows_than_connections_are_all_told(repo, open_page, chromium) -> None:
    repo.run("echo.py", check=True)
    with serving(repo) as server:
        first = open_page(server, "/")
        # a browser has six connections to a server, for all windows together
        pages = [first, *(first.context.new_page() for _ in range(6))]
        for page in pages[1:]:
            page.goto(server.origin + "/live")
        for page in pages:
            wait_until(lambda page=page: state(page) == "open", 60)
        run = server.run("--background", "--", "sleep", "60").stdout.strip()
        for page in pages:
            wait_until(lambda page=page: page.locator(f"[data-run^='{run[:12]}']").count() > 0, 60)
        # another window goes on for the one that listened
        first.close()
        server.run("stop", run)
        for page in pages[1:]:
            wait_until(lambda page=page: "Nothing is running" in page.text_content("#main"), 60)
