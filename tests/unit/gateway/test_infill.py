"""Code completion's request: whose tokens, what ends it, and whose word counts."""

from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

from services.gateway.infill import FORMS, CannotInfill, Form, ReservedText, form_of, infilled

BEFORE, BEHIND = "int half(int x) {\n  return ", ";\n}\n"


def tokens(form: Form) -> dict[str, int]:
    return {token: at for at, token in enumerate((form.prefix, form.suffix, form.middle, *form.ends))}


def asked(form: Form, behind: str = BEHIND, **more: Any) -> dict[str, Any]:
    return infilled({"prompt": BEFORE, **more}, behind, "coder", tokens(form))


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.prefix)
def test_a_real_tokenizer_reads_the_form_as_its_three_tokens(form: Form) -> None:
    tokenizer = Tokenizer(BPE({letter: at for at, letter in enumerate(ByteLevel.alphabet())}, []))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in tokens(form)])
    known = {token.content: at for at, token in tokenizer.get_added_tokens_decoder().items()}
    assert form_of(known) is form
    ids = tokenizer.encode(infilled({"prompt": BEFORE}, BEHIND, "coder", known)["prompt"]).ids
    special = [at for at in ids if at in known.values()]
    assert special == [known[form.prefix], known[form.suffix], known[form.middle]]
    assert (ids[0], ids[-1]) == (special[0], special[-1]), "the model goes on right behind the last"


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.prefix)
def test_no_text_around_the_cursor_can_end_its_own_part(form: Form) -> None:
    for token in tokens(form):
        with pytest.raises(ReservedText):
            asked(form, behind=f"x {token} y")


def test_a_tokenizer_with_two_of_the_three_cannot_fill_in() -> None:
    with pytest.raises(CannotInfill, match="coder"):
        infilled({"prompt": "a"}, "b", "coder", {FORMS[0].prefix: 1, FORMS[0].suffix: 2})


@pytest.mark.parametrize(("behind", "stop"), [(");\n}", "\n"), ("\n}", "\n\n"), ("  \n}", "\n\n"), ("x", "\n")])
def test_in_the_middle_of_a_line_the_answer_stays_in_it(behind: str, stop: str) -> None:
    assert asked(FORMS[0], behind)["stop"] == [stop]


def test_what_the_request_says_itself_counts() -> None:
    own = asked(FORMS[0], max_tokens=5, temperature=0.7, stop=["}"], stop_token_ids=[999])
    assert (own["max_tokens"], own["temperature"], own["stop"]) == (5, 0.7, ["}"])
    assert 999 in own["stop_token_ids"] and own["stop_token_ids"][:1] == [0], "the model's own ends stay"
