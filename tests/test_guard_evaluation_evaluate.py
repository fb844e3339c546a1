"""The scoring pass and its figures, with a guard whose answers are a table."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from detectors.errors import InputError
from detectors.evidence import Conflict, ConflictType, Passage, Span, Unverified
from guard.evaluation import baselines, evaluate
from guard.evaluation.datasets import Kind, NLIExample, Scope, SetExample
from guard.verdict import Action, Status, Verdict

TEXTS = ("Zero one two three.", "Four five six seven.", "Eight nine ten eleven.")


class TableScorer:
    """Contradiction for a pair in the table, else neutral."""

    def __init__(self, contradictions=()):
        self.contradictions = dict(contradictions)
        self.calls = 0
        self.seen = []

    def score(self, pairs):
        self.calls += len(pairs)
        self.seen.extend(pairs)
        rows = np.array([[0.0, 1.0, 0.0]] * len(pairs), dtype=np.float32).reshape(len(pairs), 3)
        for row, pair in zip(rows, pairs, strict=True):
            p = self.contradictions.get(pair, 0.0)
            row[:] = (0, 1 - p, p)
        return rows


class TableGuard:
    """Gives the scores and conflicts stored under the first passage's text."""

    threshold = 0.5

    def __init__(self, table):
        self.table, self.scorer, self.asked = table, TableScorer(), []

    def scores(self, passages, question=None):
        self.asked.append((passages, question))
        return self.table[passages[0].text][0]

    def check(self, passages, question=None):
        conflicts = tuple(self.table[passages[0].text][1])
        unverified = (Unverified("pairs", "too many"),) if passages[0].text == "partly" else ()
        return Verdict(Status.CONFLICT, conflicts, Action.REPORT, (), (), unverified)


def example(name="e", label="conflict", n=3, **changes):
    passages = tuple(Passage(f"p{i}", text) for i, text in enumerate(TEXTS[:n]))
    given = SetExample(name, "src", Kind.SETS, Scope.BETWEEN, label, "", passages, "file, line 1")
    return replace(given, **changes)


def span(passage, start, end):
    return Span(f"p{passage}", start, end, TEXTS[passage][start:end])


def conflict(score, a, b):
    return Conflict(ConflictType.STATEMENT, score, a, b, "", ("nli",))


def measured(scores, conflicts=(), **changes):
    guard = TableGuard({TEXTS[0]: (scores, conflicts)})
    ticks = []
    (result,) = evaluate.measure(guard, [example(**changes)], ticks.append)
    assert ticks == [1]
    return result


SCORES = {("p0", "p0"): 0.9, ("p0", "p1"): 0.2, ("p0", "p2"): 0.7, ("p1", "p2"): 0.6}


def test_the_score_is_the_highest_in_the_scope_of_the_label():
    between = measured(SCORES, gold_pairs=frozenset({(0, 2)}))
    assert (between.score, between.best, between.alarm) == (0.7, (0, 2), True)
    assert (between.outside, between.outside_alarm) == (0.9, True) and between.right_pair
    within = measured(SCORES, scope=Scope.WITHIN)
    assert (within.score, within.best, within.outside) == (0.9, (0, 0), 0.7)
    both = measured(SCORES, scope=Scope.BOTH)
    assert (both.score, both.outside, both.outside_alarm) == (0.9, 0.0, False)


def test_a_conflict_that_only_the_check_finds_counts():
    """A conditional conflict needs a third passage, which the scores of pairs may not see."""
    found = measured({("p0", "p1"): 0.1}, [conflict(0.8, span(1, 0, 4), span(0, 0, 4))])
    assert (found.score, found.best, found.alarm) == (0.8, (0, 1), True)


def test_the_right_pair_is_judged_on_true_alarms_with_known_gold():
    gold = frozenset({(1, 2)})
    assert measured(SCORES, gold_pairs=gold).right_pair is False
    assert measured(SCORES).right_pair is None  # not known
    assert measured({("p0", "p1"): 0.4}, gold_pairs=gold).right_pair is None  # no alarm
    assert measured(SCORES, label="consistent").right_pair is None
    assert measured(SCORES, gold_pairs=gold, kind=Kind.SELF).right_pair is None


def test_the_right_sentences_are_those_of_the_highest_conflict():
    gold = ((span(0, 5, 12), span(2, 0, 10)),)
    right = conflict(0.7, span(0, 0, 19), span(2, 0, 22))  # whole sentences cover the quotes
    wrong = conflict(0.6, span(0, 0, 19), span(1, 0, 20))
    assert measured(SCORES, [wrong, right], gold_spans=gold).right_sentences is True
    swapped = replace(right, a=right.b, b=right.a)
    assert measured(SCORES, [swapped], gold_spans=gold).right_sentences is True
    assert measured(SCORES, [replace(wrong, score=0.9), right], gold_spans=gold).right_sentences is False
    assert measured(SCORES, [], gold_spans=gold).right_sentences is False
    assert measured(SCORES, [right]).right_sentences is None
    beside = conflict(0.7, span(0, 0, 8), span(2, 0, 22))  # 3 of the quote's 7 characters
    assert measured(SCORES, [beside], gold_spans=gold).right_sentences is False
    outside = conflict(0.95, span(0, 0, 4), span(0, 5, 8))  # a self-contradiction, of which the label says nothing
    assert measured(SCORES, [outside, right], gold_spans=gold).right_sentences is True


def test_both_sides_of_a_gold_conflict_must_be_named():
    within = ((span(0, 0, 4), span(0, 5, 8)),)
    only_one = conflict(0.7, span(0, 0, 4), span(0, 0, 4))
    assert not evaluate.names_sentences(only_one, within)


def test_passages_that_cannot_be_checked_name_file_and_line():
    class Refusing(TableGuard):
        def scores(self, passages, question=None):
            raise InputError("passage 'p0': 9 characters is over max_passage_chars")

    with pytest.raises(InputError, match="file, line 1: passage 'p0'"):
        evaluate.measure(Refusing({}), [example()], lambda n: None)


def results(spec):
    """Build results from (source, label, type, score, right_pair, passages)."""
    return [
        evaluate.SetResult(
            example(str(n), label, passages, source=source, type=type_), score, score >= 0.5, right_pair=right,
            outside_alarm=score == 0.3,
        )
        for n, (source, label, type_, score, right, passages) in enumerate(spec)
    ]  # fmt: skip


SPEC = [
    ("x", "conflict", "value", 0.9, True, 2), ("x", "conflict", "value", 0.8, False, 3),
    ("x", "conflict", "date", 0.4, None, 3), ("x", "consistent", "overlap", 0.6, None, 3),
    ("x", "consistent", "overlap", 0.3, None, 2), ("x", "consistent", "topic", 0.1, None, 2),
    ("x", "consistent", "topic", 0.2, None, 2),
    ("y", "conflict", "value", 0.7, True, 3), ("y", "consistent", "value", 0.75, None, 3),
]  # fmt: skip


def test_figures_per_source_of_the_mean_and_of_all_rows():
    figures = evaluate.set_figures(results(SPEC), 0.5, 200, 0)
    x, y, mean, pooled = figures.sources["x"], figures.sources["y"], figures.macro, figures.pooled
    assert x.rows == {"conflict": 3, "consistent": 4} and mean.rows == {"sources": 2}
    value = {name: figure.value for name, figure in x.figures.items()}
    assert value["auroc"] == pytest.approx(11 / 12) and y.figures["auroc"].value == 0.0
    assert mean.figures["auroc"].value == pytest.approx((11 / 12 + 0) / 2)
    assert value["precision"] == pytest.approx(2 / 3) and value["recall"] == pytest.approx(2 / 3)
    assert value["precision_balanced"] == pytest.approx((2 / 3) / (2 / 3 + 1 / 4))
    assert value["false_alarms_per_1000"] == pytest.approx(250) and value["outside_alarms_per_1000"] == 250
    assert (value["right_pair"], value["right_pair_of_3"], value["right_sentences"]) == (0.5, 0.0, None)
    assert value["precision_at_recall"] == 1.0 and value["threshold_at_recall"] == 0.8
    labels, scores = [s[1] == "conflict" for s in SPEC], [s[3] for s in SPEC]
    assert pooled.figures["auroc"].value == pytest.approx(roc_auc_score(labels, scores))
    assert pooled.figures["brier"].value == pytest.approx(np.mean((np.array(scores) - labels) ** 2))
    assert "threshold_at_recall" not in mean.figures
    low, high = x.figures["false_alarms_per_1000"].low, x.figures["false_alarms_per_1000"].high
    assert 0 <= low < 250 < high <= 1000


def test_another_source_or_order_changes_no_figure_of_this_one():
    alone = evaluate.set_figures(results(SPEC[:7]), 0.5, 100, 3)
    together = evaluate.set_figures(results(SPEC[7:] + SPEC[:7]), 0.5, 100, 3)
    assert alone.sources["x"] == together.sources["x"]
    assert evaluate.set_figures(results(SPEC), 0.5, 100, 4).sources["x"] != alone.sources["x"]


def test_strata_by_type_and_label():
    strata = {(s.source, s.type, s.label): s for s in evaluate.set_figures(results(SPEC), 0.5, 100, 0).strata}
    value, topic = strata["x", "value", "conflict"], strata["x", "topic", "consistent"]
    assert (value.rows, value.alarm_rate.value, value.against) == (2, 1.0, "all consistent")
    assert value.auroc.value == 1.0 and strata["x", "date", "conflict"].auroc.value == 0.75
    assert (topic.alarm_rate.value, topic.against) == (0.0, "all conflict")
    assert topic.alarm_rate.high == pytest.approx(0.6576, abs=1e-4)  # Wilson: 0 of 2
    same = strata["y", "value", "conflict"], strata["y", "value", "consistent"]
    assert [s.against for s in same] == ["same type"] * 2 and same[0].auroc == same[1].auroc
    assert len(strata) == 6


def test_alarms_are_counted_by_the_type_of_conflict_that_was_found():
    value, name = ConflictType.VALUE, ConflictType.ENTITY
    rows = [("conflict", value), ("conflict", value), ("conflict", None), ("conflict", name)]
    rows += [("consistent", value), ("consistent", None)]
    given = [
        evaluate.SetResult(example(str(n), label), 0.9 if found else 0.1, found is not None, (0, 1), found=found)
        for n, (label, found) in enumerate(rows)
    ]
    of_value, of_name = evaluate.set_figures(given, 0.5, 200, 0).by_type
    assert (of_value.found, of_value.true, of_value.false, of_value.precision.value) == (value, 2, 1, 2 / 3)
    assert of_value.precision_balanced.value == pytest.approx((2 / 4) / (2 / 4 + 1 / 2))  # two labels of equal weight
    assert of_value.precision.low < 2 / 3 < of_value.precision.high
    assert (of_name.found, of_name.true, of_name.false, of_name.precision.value) == (name, 1, 0, 1.0)
    assert of_name.precision.low < 0.5  # Wilson: 1 of 1


def test_a_source_of_one_class_is_not_available_and_left_out_of_the_mean():
    figures = evaluate.set_figures(results([*SPEC[:7], ("z", "consistent", "", 0.9, None, 2)]), 0.5, 50, 0)
    z = figures.sources["z"].figures
    assert z["auroc"].value is None and z["precision"].value is None and z["recall"].value is None
    assert z["false_alarms_per_1000"].value == 1000
    assert figures.macro.figures["auroc"].value == figures.sources["x"].figures["auroc"].value
    (stratum,) = [s for s in figures.strata if s.source == "z"]
    assert (stratum.against, stratum.auroc.value) == ("none", None)


def test_alarms_outside_the_label_need_an_outside():
    def outside(**changes):
        rows = [replace(r, example=replace(r.example, **changes)) for r in results(SPEC[:7])]
        return evaluate.set_figures(rows, 0.5, 0, 0).pooled.figures["outside_alarms_per_1000"].value

    assert outside() == 250
    assert outside(scope=Scope.BOTH) is None
    assert outside(scope=Scope.WITHIN, passages=(Passage("t", "x"),)) is None


def test_without_resamples_there_are_no_intervals():
    figures = evaluate.set_figures(results(SPEC), 0.5, 0, 0)
    assert all(f.low is None for group in [*figures.sources.values(), figures.macro] for f in group.figures.values())


def test_nli_rows_are_classified_in_batches_and_counted(monkeypatch):
    monkeypatch.setattr(evaluate, "NLI_CHUNK", 2)
    pairs = [
        NLIExample(str(n), "s", f"p{n}", "h", label) for n, label in enumerate(["contradiction"] * 3 + ["neutral"])
    ]
    ticks = []
    found = evaluate.classify(TableScorer({("p0", "h"): 0.9, ("p3", "h"): 0.7}), pairs, ticks.append)
    assert ticks == [2, 2]
    assert [r.predicted for r in found] == ["contradiction", "neutral", "neutral", "contradiction"]
    assert found[0].contradiction == pytest.approx(0.9)
    figures = evaluate.nli_figures(found, 100, 0).sources["s"].figures
    assert figures["accuracy"].value == 0.25 and figures["f1_contradiction"].value == pytest.approx(2 / 5)
    assert figures["f1_entailment"].value is None and figures["f1_neutral"].value == 0
    assert figures["f1"].value == pytest.approx((2 / 5 + 0) / 2)


class LetterEncoder:
    """Unit vectors of letter counts."""

    def encode(self, texts):
        counts = np.array([[t.lower().count(c) for c in "abcdefghijklmnopqrstuvwxyz"] for t in texts], float)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def test_baselines_equal_a_plain_loop(monkeypatch):
    monkeypatch.setattr(baselines, "BATCH", 3)
    one = example("1", passages=(Passage("a", "Cats sleep. Dogs bark."), Passage("b", "Cats bark. Dogs sleep."),
                                 Passage("c", "# Fish\n\nFish swim.")))  # fmt: skip
    alone = example(
        "2", kind=Kind.SELF, scope=Scope.WITHIN, passages=(Passage("t", "Cats sleep. Cats bark. Cows run."),)
    )
    single = example("3", passages=(Passage("s", "Cats sleep."),))
    scorer = TableScorer({("Dogs bark.", "Cats bark."): 0.8, ("Cats sleep.", "Cows run."): 0.4,
                          ("Cats sleep.", "Dogs bark."): 0.99})  # fmt: skip
    ticks = []
    found = baselines.run([one, alone, single], scorer, LetterEncoder(), lambda name, total: ticks.append)
    # The pair of the same passage (0.99) does not count between passages.
    assert found.scores["all_pairs_nli"] == pytest.approx([0.8, 0.4, 0.0])
    assert sum(ticks) == scorer.calls == 8 + 3
    assert found.nli_calls == 10  # a cache answers the pair that both examples have
    assert found.scores["word_overlap"] == pytest.approx([1.0, 1 / 3, 0.0])
    vectors = LetterEncoder().encode(["Cats sleep. Dogs bark.", "Cats bark. Dogs sleep.", "# Fish\n\nFish swim."])
    closest = max(float(vectors[i] @ vectors[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    assert found.scores["cosine"][0] == pytest.approx(closest) and found.scores["cosine"][2] == 0


def test_a_set_with_labels_for_everything_is_paired_within_and_between():
    both = example(scope=Scope.BOTH, passages=(Passage("a", "Cats sleep. Dogs bark."), Passage("b", "Fish swim.")))
    assert set(baselines.sentence_pairs(both)) == {
        ("Cats sleep.", "Dogs bark."), ("Cats sleep.", "Fish swim."), ("Dogs bark.", "Fish swim."),
    }  # fmt: skip


def test_ranking_figures_of_any_score():
    examples = [r.example for r in results(SPEC)]
    scores = np.array([s[3] for s in SPEC]) * 100 - 5  # not within 0..1
    found = evaluate.ranking_figures(scores, examples, 100, 0)
    own = evaluate.set_figures(results(SPEC), 0.5, 100, 0)
    assert found["x"]["auroc"].value == own.sources["x"].figures["auroc"].value
    assert found["macro"]["auroc"].value == own.macro.figures["auroc"].value
    assert set(found) == {"x", "y", "macro"}
