"""Preference sets in the web app: built, shown, learned from, and refused in words."""

import re

import httpx
import pytest

from tests.api.conftest import PDF, Gateway
from tests.api.shelved import Authors, dataset_of_shelf, model_of, shelf_of_three
from tests.api.test_preferences import row, upload
from tests.api.test_web import sign_in, token


@pytest.fixture
def shelf(gateway: Gateway, base: str) -> Gateway:
    return shelf_of_three(gateway, Authors)


@pytest.fixture
def parent(shelf: Gateway, client: httpx.Client) -> str:
    return model_of(shelf, client, "papers", dataset_of_shelf(shelf, client, "first"))


@pytest.fixture
def preferences(client: httpx.Client) -> str:
    return str(upload(client, [row(at, chosen="<b>This</b>.", evidence=[]) for at in range(10)]).json()["id"])


@pytest.fixture
def browser(gateway: Gateway) -> httpx.Client:
    return sign_in(gateway, "write")


def test_a_set_is_built_of_feedback(client: httpx.Client, browser: httpx.Client) -> None:
    nothing = browser.post("/preferences", data={"csrf": token(browser), "name": "thumbs"})
    assert nothing.status_code == 422 and "No feedback makes a pair yet" in nothing.text
    said = {"prompt": "When?", "mode": "chat", "model": "m", "answer": "Never.", "rating": "down", "correction": "At dawn."}
    client.post("/v1/feedback", json=said)
    asked = {"csrf": token(browser), "name": "thumbs", "heldout_share": "0.2", "seed": "3"}
    answer = browser.post("/preferences", data=asked)
    assert answer.status_code == 303, answer.text
    [made] = client.get("/v1/preferences").json()["items"]
    assert answer.headers["location"] == f"/preferences/{made['id']}"
    assert (made["name"], made["by"], made["parameters"]["heldout_share"]) == ("thumbs", "browser", 0.2)
    page = browser.get(f"/preferences/{made['id']}").text
    assert "At dawn." in page and "From corrections" in page and "train one</a> first" in page
    assert "feedback on every model" in browser.get("/preferences").text
    assert "<option selected>tiny-base</option>" in browser.get("/preferences", params={"model": "tiny-base"}).text
    wrong = browser.post("/preferences", data={**asked, "heldout_share": "2"})
    assert wrong.status_code == 422 and "heldout_share" in wrong.text


def test_the_form_asks_for_the_same_run_as_the_api(
    client: httpx.Client, browser: httpx.Client, parent: str, preferences: str
) -> None:
    page = browser.get(f"/preferences/{preferences}").text
    assert "&lt;b&gt;This&lt;/b&gt;" in page and "<b>This" not in page
    sent = as_shown(page) | {"parent": parent, "method": "dpo", "dpo.beta": "0.3", "run": "aligned"}
    answer = browser.post(f"/preferences/{preferences}/align", data=sent)
    assert answer.status_code == 303, answer.text
    recipe = {"alignment": {"method": "dpo", "beta": 0.3}, "learning_rate": 5e-5}
    same = client.post("/v1/runs", json={"name": "aligned", "recipe": recipe, "parent": parent, "preferences": preferences})
    assert answer.headers["location"] == f"/runs/{same.json()['id']}"
    assert len(client.get("/v1/runs").json()["items"]) == 2, "the parent's and this one"
    assert f'href="/preferences/{preferences}"' in browser.get(answer.headers["location"]).text
    rater = browser.post(f"/preferences/{preferences}/align", data={**sent, "method": "reward", "reward.center": "0.5"})
    made = client.get(f"/v1{rater.headers['location']}").json()["wish"]["recipe"]["alignment"]
    assert (made["method"], made["center"]) == ("reward", 0.5)


def as_shown(page: str) -> dict[str, str]:
    """What a browser sends of the fields of text and choice in a page."""
    fields = dict(re.findall(r'<input id="[^"]+" name="([^"]+)" value="([^"]*)"', page))
    choices = dict(re.findall(r'<select id="[^"]+" name="([^"]+)"[^>]*>.*?<option selected>([^<]+)', page, re.DOTALL))
    csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
    assert csrf is not None and "learning_rate" in fields
    return {**choices, **fields, "csrf": csrf.group(1)}


@pytest.mark.parametrize(
    ("fields", "told"),
    [({"parent": ""}, "Choose the model"), ({"method": "magic"}, "Choose a method"), ({"dpo.beta": "0"}, "beta"),
     ({"packing": "full"}, "pairs of answers are not packed"), ({"lora_r": "8"}, "Leave lora_r out"),
     ({"method": "reward", "reward.center": "much"}, "center")],
)  # fmt: skip
def test_a_run_that_cannot_be_is_refused_in_words(
    client: httpx.Client, browser: httpx.Client, parent: str, preferences: str, fields: dict[str, str], told: str
) -> None:
    sent = {"csrf": token(browser), "run": "aligned", "parent": parent, "method": "dpo", **fields}
    answer = browser.post(f"/preferences/{preferences}/align", data=sent)
    assert (answer.status_code, told in answer.text) == (422, True), answer.text
    assert len(client.get("/v1/runs").json()["items"]) == 1, "the parent's alone"


def test_settings_of_a_method_that_is_not_chosen_are_not_looked_at(
    client: httpx.Client, browser: httpx.Client, parent: str, preferences: str
) -> None:
    sent = {"csrf": token(browser), "run": "rater", "parent": parent, "method": "reward", "dpo.beta": "much"}
    assert browser.post(f"/preferences/{preferences}/align", data=sent).status_code == 303


def test_an_estimate_of_a_set_that_is_not_there_is_refused(client: httpx.Client, parent: str) -> None:
    asked = {"recipe": {"alignment": {}, "base": "codellama-34b"}, "preferences": "0" * 16}
    answer = client.post("/v1/recipes/estimate", json=asked)
    assert answer.status_code == 404 and "no preference set" in answer.text


def test_a_set_that_lost_pairs_says_so_and_offers_no_run(
    shelf: Gateway, client: httpx.Client, browser: httpx.Client, parent: str
) -> None:
    secret = shelf.add("elsewhere", content=PDF + b"secret", filename="secret.pdf")
    made = upload(client, [row(1), row(2, evidence=[secret])], heldout_share=0).json()["id"]
    assert "Align a model" in browser.get(f"/preferences/{made}").text
    assert shelf.await_job(client.post(f"/v1/documents/{secret}/forget", json={"confirm": secret})).state == "done"
    page = browser.get(f"/preferences/{made}").text
    assert "had to be forgotten" in page and "Align a model" not in page
    sent = {"csrf": token(browser), "run": "aligned", "parent": parent, "method": "dpo"}
    assert browser.post(f"/preferences/{made}/align", data=sent).status_code == 409


def test_a_viewer_looks_and_changes_nothing(gateway: Gateway, preferences: str) -> None:
    viewer = sign_in(gateway, "read")
    page = viewer.get(f"/preferences/{preferences}").text
    assert "Nonsense 1." in page and "Align a model" not in page and "<form method" not in page.partition("</header>")[2]
    assert "Build one" not in viewer.get("/preferences").text
    for path in ("/preferences", f"/preferences/{preferences}/align"):
        assert viewer.post(path, data={"csrf": token(viewer)}).status_code == 403
    assert viewer.get("/preferences/0000000000000000").status_code == 404


def test_a_memory_that_no_adapter_can_hold_is_refused_in_words(
    client: httpx.Client, browser: httpx.Client, parent: str
) -> None:
    """Each part of the form can be; only both together cannot."""
    [dataset] = client.get("/v1/datasets").json()["items"]
    sent = {"csrf": token(browser), "run": "more", "parent": parent, "lora_r": "256", "continual.averaged_rank": "sum"}
    answer = browser.post(f"/datasets/{dataset['id']}/train", data=sent)
    assert answer.status_code == 422 and "averaged_rank" in answer.text
