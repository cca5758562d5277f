"""A document full of markup and scripts, under a name that is markup too, looked at in every view that shows it."""

import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from shared.contracts.documents import CleaningParameters, ProcessingParameters
from shared.ids import document_job
from tests.browser.conftest import Enter, violations
from tests.browser.library import INJECTIONS, Library, hostile_pdf

NAME = "<img src=x onerror=alert(1)><b>attack.pdf"
"""Without a slash, which would make a folder of what stands before it."""


@pytest.fixture(scope="module")
def attacked(lectern: Library, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where the document is shown: view → address."""
    path = hostile_pdf(tmp_path_factory.mktemp("hostile") / "attack.pdf")
    document = lectern.gateway.add("attacked", path.read_bytes(), NAME)
    others = ProcessingParameters(cleaning=CleaningParameters(min_words=200))
    lectern.gateway.parts.records.set_parameters("attacked-trial", others)
    lectern.gateway.add("attacked-trial", path.read_bytes(), NAME)
    refused = lectern.gateway.add("attacked", b"%PDF-1.7\nnothing\n%%EOF", f"refused {NAME}")
    lectern.gateway.catalog.finish_job(document_job("attacked", refused), "dead", "internal", INJECTIONS[0], "2026-01-01")
    dataset = lectern.dataset("attacked")
    model = lectern.model(dataset, "attacked")
    lectern.deploy(model, "attacked")
    run = lectern.gateway.catalog.model(model)
    assert run is not None
    base = f"/shelf/attacked/documents/{document}"
    return {
        "preview": _preview(lectern), "forget": f"{base}/forget", "receipt": _receipt(lectern, tmp_path_factory),
        "shelf": "/shelf/attacked", "search by name": "/search?collection=attacked&q=%3Cimg", "blocks": base,
        "second page": f"{base}?page=2", "search in chunks": "/search?collection=attacked&q=attack+%3Cscript%3Etide",
        "difference": f"{base}/difference?other=attacked-trial",
        "other settings": f"{base}/rerun", "dataset": f"/datasets/{dataset}", "run": f"/runs/{run.run}", "operate": "/operate",
    }  # fmt: skip


def _preview(lectern: Library) -> str:
    with lectern.gateway.client() as client:
        asked = client.post("/v1/datasets/preview", json={"collection": "attacked"}).json()
    assert lectern.gateway.workers.run(asked["job"]) == "done"
    return f"/datasets/previews/{asked['id']}?collection=attacked"


def _receipt(lectern: Library, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of another document of that kind, which was forgotten for a reason that is an attack too."""
    content = hostile_pdf(tmp_path_factory.mktemp("gone") / "gone.pdf").read_bytes() + b"%gone"
    document = lectern.gateway.add("attacked", content, NAME)
    lectern.dataset("attacked", "attacked-before")
    with lectern.gateway.client() as client:
        asked = client.post(f"/v1/documents/{document}/forget", json={"confirm": document, "why": INJECTIONS[0]})
        assert asked.status_code == 202, asked.text
        for _ in range(600):
            if client.get(f"/v1/forgotten/{document}").json()["state"] == "forgotten":
                return f"/forgotten/{document}"
            time.sleep(0.1)
    raise AssertionError("it was not forgotten within a minute")


def harmless(page: Page) -> None:
    assert page.title() != "owned"
    assert page.locator("main script, main img[onerror], main svg[onload], #owned, main b:text-is('attack')").count() == 0
    assert page.evaluate(
        "[...document.querySelectorAll('main *')].every(one => !one.getAttributeNames().some(name => name.startsWith('on')))"
    )
    assert page.locator("a[href^='javascript:']").count() == 0


def test_markup_in_a_document_is_text_in_every_view(enter: Enter, attacked: dict[str, str]) -> None:
    page = enter("admin")
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    for view, address in attacked.items():
        page.goto(address)
        page.wait_for_load_state("networkidle")
        harmless(page)
        assert "&lt;" in page.content(), f"nothing of the attack is shown in {view}"
        assert violations(page) == [], view
    page.goto(attacked["blocks"])
    expect(page.locator("main")).to_contain_text("<script>document.title='owned'</script>")
    expect(page.locator("main")).to_contain_text("{{ 7 * 7 }} {% include 'base.html' %}")
    page.get_by_role("tab", name="Chunks").click()
    harmless(page)
    assert violations(page) == []


def test_a_problem_told_in_words_of_an_attack_is_text(enter: Enter, lectern: Library) -> None:
    page = enter("read", refusals=True)
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.goto("/shelf/%3Cimg%20src=x%20onerror=alert(1)%3E")
    expect(page.locator("main")).to_contain_text("<img src=x onerror=alert(1)>")
    harmless(page)
    assert violations(page) == []


def test_markup_in_an_answer_and_its_evidence_is_text(
    enter: Enter, lectern: Library, attacked: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = enter("read")
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    monkeypatch.setattr(lectern.engine, "tuned", " ".join(INJECTIONS))
    page.goto("/try?deployment=attacked")
    page.get_by_label("Your question").fill(INJECTIONS[0])
    page.get_by_role("button", name="Ask both").click()
    expect(page.locator("[data-side=tuned] [data-answer]")).to_contain_text("{% include 'base.html' %}")
    expect(page.locator("[data-found]")).to_contain_text("<img src=x onerror=alert(1)>")
    harmless(page)


def test_the_policy_lets_no_inline_script_run_though_one_be_put_in(enter: Enter, attacked: dict[str, str]) -> None:
    page = enter("read", refusals=True, blocked=True)
    for address in (*attacked.values(), "/try", "/sign-in"):
        answer = page.goto(address)
        assert answer is not None
        policy = answer.headers["content-security-policy"]
        assert "unsafe-inline" not in policy and "unsafe-eval" not in policy
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=/nowhere onerror=\"document.title=`owned`\">')")
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'document.title=`owned`'}))"
    )
    page.wait_for_timeout(300)
    assert page.title() != "owned"


def test_a_page_whose_text_is_beyond_ascii_is_shown_as_it_is(enter: Enter, lectern: Library, tmp_path: Path) -> None:
    name = "Gezeiten – «Flut» \u202efdp.txt.pdf"
    path = hostile_pdf(tmp_path / "attack.pdf")
    lectern.gateway.add("names", path.read_bytes() + b"%", name)
    page = enter("read")
    page.goto("/shelf/names")
    expect(page.locator("td.name")).to_have_text("Gezeiten – «Flut» fdp.txt.pdf")
