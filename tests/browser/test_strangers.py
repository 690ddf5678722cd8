"""Pages from elsewhere, in the same browser, get nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import Browser

from local.http_server import HttpServer
from local.sandbox import Fault

if TYPE_CHECKING:
    from local.stack import LocalStack

STEAL = """async ([root, sandbox]) => {
  const tried = [];
  const json = {method: 'POST', body: '{"kind":"reset"}', headers: {'Content-Type': 'application/json'}};
  const plain = {method: 'POST', mode: 'no-cors', body: '{"kind":"reset"}'};
  for (const options of [json, plain]) {
    for (const url of [root + '/studio/api/faults', sandbox + '/sandbox/faults']) {
      await fetch(url, options).catch((error) => tried.push(error.name));
    }
  }
  await fetch(sandbox + '/sandbox', {method: 'DELETE'}).catch((error) => tried.push(error.name));
  await fetch(root + '/studio/api/contacts').then((answer) => answer.text()).catch((error) => tried.push(error.name));
  return tried;
}"""


def test_a_page_from_elsewhere_changes_and_reads_nothing(browser: Browser, stack: LocalStack) -> None:
    """Scripts of a page on another port can neither add a fault, nor reset the sandbox, nor read the contacts."""
    kept = Fault(kind="reset", path="/nothing")
    stack.sandbox.faults.add(kept)
    with HttpServer(_elsewhere) as server:
        page = browser.new_page()
        page.goto(f"{server.root}/")
        assert page.evaluate(STEAL, [stack.gateway.root, stack.loops.root]).count("TypeError") >= 4
        assert stack.sandbox.faults.all() == [kept]
        page.close()


def test_a_name_that_was_rebound_shows_nothing(browser: Browser, stack: LocalStack) -> None:
    """Under a host name that leads here but is not this machine's, the page is refused."""
    context = browser.new_context()
    answer = context.request.get(f"{stack.gateway.root}/", headers={"Host": "studio.example"})
    assert answer.status == 403
    context.close()


def _elsewhere(environ: object, start_response: object) -> list[bytes]:  # noqa: ARG001  # WSGI passes it
    assert callable(start_response)
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", "4")])
    return [b"page"]
