"""The trace's page: who decided each token, one box a token, nothing loaded, nothing injected."""

import math
import re
from html.parser import HTMLParser

import pytest

from decoding.trace import Step
from decoding.trace_page import LABELS, decided_by, page

WORDS = {0: " Oslo", 1: " Rome", 2: "</script><b>x", 3: "\n", 4: ".\n", 5: ""}


def step(token, context_top, prior_top, flipped=False, jsd=0.1, alpha=0.05, attribution=()):
    return Step(token, alpha, jsd, 1.25, 0.5, context_top, prior_top, flipped, attribution=attribution)


class Tokens(HTMLParser):
    """The tokens' attributes, all tags and links, and what is written outside the panels."""

    def __init__(self, text):
        super().__init__()
        self.found, self.tags, self.links = [], [], []
        self.text, self.panel = "", False
        self.feed(text)

    def handle_endtag(self, tag):
        self.panel = self.panel and tag != "dl"

    def handle_data(self, data):
        self.text += "" if self.panel else data

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        self.panel = self.panel or given.get("class") == "tip"
        self.links += [given[name] for name in ("src", "href") if name in given]
        if given.get("role") == "listitem":
            self.found.append(given)


def drawn(trace, **kwargs):
    settings = {"question": "Where?", "answer": "Oslo", "facts": {"mean α": "0.05"}} | kwargs
    return page(trace, WORDS.__getitem__, **settings)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (step(0, 0, 0), "agreed"),
        (step(0, 0, 1), "context"),
        (step(0, 1, 1, flipped=True), "boosted"),
        (step(1, 0, 1, flipped=True), "memory"),
        (step(3, 0, 1), "other"),
        (step(0, 0, 1, flipped=True), "context"),  # sampled against the adjusted top
    ],
)
def test_who_decided(given, expected):
    assert decided_by(given) == expected
    [token] = Tokens(drawn([given])).found
    assert token["class"] == f"token {expected}" and LABELS[expected] in token["aria-label"]


def test_one_box_a_token_in_order_with_both_top_tokens_for_readers_and_one_tab_stop():
    found = Tokens(drawn([step(0, 0, 1), step(3, 3, 3), step(1, 0, 1)])).found
    assert [re.search("token: ([^;]*);", t["aria-label"])[1] for t in found] == ["␣Oslo", "⏎", "␣Rome"]
    assert "context would say: ␣Oslo" in found[0]["aria-label"] and "memory would say: ␣Rome" in found[0]["aria-label"]
    assert "entropy 1.25" in found[0]["aria-label"] and "α: 0.050" in found[0]["aria-label"]
    assert [t["tabindex"] for t in found] == ["0", "-1", "-1"]


@pytest.mark.parametrize(("log_base", "most"), [("e", math.log(2)), ("2", 1.0)])
def test_the_shade_is_the_share_of_the_greatest_divergence(log_base, most):
    jsds = [0, most / 4, most]
    found = Tokens(drawn([step(0, 0, 1, jsd=jsd) for jsd in jsds], log_base=log_base)).found
    assert [t["style"] for t in found] == ["--shade:0%", "--shade:25%", "--shade:100%"]


def test_the_tokens_read_as_running_text_and_what_has_no_ink_can_be_seen():
    text = Tokens(drawn([step(n, n, n) for n in (0, 4, 1, 3, 5)])).text
    assert " Oslo.\n Rome⏎\n∅" in text


def test_the_legend_counts_who_decided():
    text = Tokens(drawn([step(0, 0, 1), step(0, 0, 1), step(1, 0, 1)])).text
    assert f"{LABELS['context']} 2" in text and f"{LABELS['memory']} 1" in text and LABELS["boosted"] not in text


def test_each_passage_has_its_sum_and_each_token_the_passages_that_did_most():
    trace = [step(0, 0, 1, attribution=(2.0, -0.5)), step(1, 1, 1, attribution=(0.25, 0.001))]
    page = Tokens(drawn(trace, passages=["a<b>", "faq"]))
    assert [t["data-nats"] for t in page.found] == ["2.000 -0.500", "0.250 0.001"]
    assert "+2.00 nats: by a<b>; -0.50 nats: by faq" in page.found[0]["aria-label"]
    assert "by a<b>" in page.found[1]["aria-label"] and "faq" not in page.found[1]["aria-label"]
    assert "a<b>+2.25" in page.text and "faq-0.50" in page.text and page.tags.count("input") == 3
    assert "data-nats" not in drawn(trace) and Tokens(drawn(trace)).tags.count("input") == 0


def test_text_cannot_leave_its_place():
    evil = "</title><script>alert(1)</script>"
    text = drawn([step(2, 2, 2, attribution=(1.0,))], question=evil, answer=evil, facts={evil: evil}, passages=[evil])
    assert Tokens(text).tags.count("script") == 1 and Tokens(text).tags.count("b") == 1  # the count in the legend


def test_nothing_is_loaded_from_anywhere():
    text = drawn([step(0, 0, 1)])
    assert Tokens(text).links == [] and not re.search(r"https?:|url\(|@import|fetch|XMLHttp", text)
    assert {"link", "img", "iframe", "object"}.isdisjoint(Tokens(text).tags)
    assert "prefers-color-scheme: dark" in text
