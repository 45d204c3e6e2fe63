"""A plan learns what can be learnt, and says what it leaves out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.workbench.bundled import BundledDamaged, load_head
from holdfast.workbench.columns import Columns
from holdfast.workbench.gather import TooManyBadRows, Wishes, gather
from holdfast.workbench.planning import HoldOut, NothingToLearn, head_names, plan_head
from holdfast.workbench.splits import ImpossibleSplit
from holdfast.workbench.tickets import LabelledTicket
from holdfast.workbench.training_list import text_digest

START = datetime(2024, 1, 1, tzinfo=UTC)


def _tickets(counts: dict[str, int], *, head: str = "priority", dated: bool = True) -> list[LabelledTicket]:
    labels = [label for label, count in counts.items() for _ in range(count)]
    order = sorted(range(len(labels)), key=lambda i: (i * 7919) % len(labels))
    return [
        LabelledTicket(
            str(i),
            f"ticket number {i}",
            {head: labels[place]},
            START + timedelta(days=i) if dated else None,
            "",
            f"a.csv:{i}",
        )
        for i, place in enumerate(order)
    ]


def test_tickets_with_times_are_held_out_by_time_and_others_at_random() -> None:
    counts = {"low": 60, "high": 60}
    kinds = [
        plan_head("priority", _tickets(counts, dated=dated), hold_out=HoldOut()).split.kind for dated in (True, False)
    ]
    assert kinds == ["chronological", "random"]


def test_labels_are_ordered_by_urgency_whatever_their_order_in_the_file() -> None:
    head = plan_head("priority", _tickets({"critical": 50, "low": 50, "high": 50}), hold_out=HoldOut())
    assert head.labels == ("low", "high", "critical")
    assert head.urgency == (0.1, 0.55, 1.0)


def test_a_label_too_rare_to_learn_is_left_out_by_name_and_row() -> None:
    head = plan_head("route", _tickets({"mail": 60, "vpn": 60, "fax": 3}, head="route"), hold_out=HoldOut())
    finding = next(one for one in head.leakage if one.kind == "rare_label")
    assert head.labels == ("mail", "vpn")
    assert "fax" in finding.sentence
    assert len(finding.rows) == 3


def test_what_is_judged_on_is_never_learnt_from_copies_included() -> None:
    tickets = _tickets({"low": 80, "high": 80})
    copied = [
        *tickets,
        *(LabelledTicket("c", t.text.upper(), t.labels, START, "", f"copy:{t.id}") for t in tickets[-9:]),
    ]
    head = plan_head("priority", copied, hold_out=HoldOut())
    learnt = {text_digest(ticket.text) for ticket in head.train}
    assert not [ticket for ticket in head.held if text_digest(ticket.text) in learnt]
    assert next(one for one in head.leakage if one.kind == "exact_copies").count == 9
    assert head.split.left_out_rows == 9


def test_one_label_teaches_nothing_and_the_next_step_is_named() -> None:
    with pytest.raises(NothingToLearn, match=r"two labels or more .* --value"):
        plan_head("route", _tickets({"mail": 100}, head="route"), hold_out=HoldOut())
    with pytest.raises(ImpossibleSplit, match="ten of each label"):
        plan_head("route", _tickets({"mail": 2}, head="route"), hold_out=HoldOut())


def test_each_head_learns_from_the_tickets_that_carry_its_label() -> None:
    both = [*_tickets({"low": 30, "high": 30}), *_tickets({"mail": 40, "vpn": 40}, head="route")]
    assert head_names(both) == ("priority", "route")
    assert plan_head("route", both, hold_out=HoldOut()).split.train_rows == 64


def test_too_many_bad_rows_are_refused_and_few_are_left_out(tmp_path: Path) -> None:
    rows = [f"ticket {i},{('low', 'high')[i % 2]}" for i in range(200)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["title,priority", *rows, ",low", ",low", ",low"]) + "\n")
    with pytest.raises(TooManyBadRows, match=r"found 3: a\.csv:202"):
        gather([path], Columns(), Wishes(name="x"))
    plan, inputs = gather([path], Columns(), Wishes(name="x", max_bad_ratio=0.05))
    assert len(inputs.datasets[0].bad_rows) == 3
    assert plan.heads[0].split.train_rows == 160


def test_bundled_hold_outs_are_the_same_every_time_and_differ_by_seed() -> None:
    one, again, other = (load_head("route", seed=seed) for seed in (0, 0, 1))
    assert one.split == again.split
    assert set(one.split.held) != set(other.split.held)
    assert len(one.split.held) >= 7_000


def test_a_bundled_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "SHA256SUMS").write_text("0" * 64 + "  it_service_tickets_train.csv.gz\n")
    with pytest.raises(BundledDamaged, match="cannot be read"):
        load_head("route", directory=tmp_path)
    (tmp_path / "it_service_tickets_train.csv.gz").write_bytes(b"x")
    with pytest.raises(BundledDamaged, match=r"expected sha256 0+, found [0-9a-f]{64}"):
        load_head("route", directory=tmp_path)
