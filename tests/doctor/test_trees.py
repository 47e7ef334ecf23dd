"""The doctor on two inputs and two outputs: a table and tokens, a class and a number."""

import dataclasses

import numpy as np
import pytest

import cutaway as ct
from cutaway import losses, ops
from cutaway.doctor import Evidence, changes, diagnose, treat
from cutaway.doctor.comparable_score import ComparableScore
from cutaway.doctor.glance import glance
from cutaway.doctor.heads import heads_of
from cutaway.doctor.preflight import preflight
from cutaway.doctor.symptoms import (
    class_imbalance,
    data_shift,
    dead_units,
    learning_rate_too_high,
    underfitting,
    unscaled_inputs,
    unscaled_targets,
    vanishing_gradient,
    wrong_loss,
    wrong_output_activation,
)
from cutaway.train import Probes
from tests.doctor.two_by_two import Both, both_losses, examples, plan, trainer

pytestmark = pytest.mark.usefixtures("compile_quickly")

X, Y = examples()
HELD = examples(80, seed=1)


def codes(findings):
    return [finding.code for finding in findings]


def with_column(x, column, factor, offset):
    table = x["table"].copy()
    table[:, column] = table[:, column] * factor + offset
    return {**x, "table": table}


def seen(made=None, x=None, y=None, epochs=4, **options):
    return Evidence.gather(plan(made, x, y, epochs=epochs, **options))


# the loss, taken apart


def test_the_tape_tells_which_output_and_target_each_term_compares():
    found, unknown = heads_of(trainer().program, X, Y)
    assert unknown == []
    assert [(h.term, h.output, h.target, h.target_name, h.weight) for h in found] == [
        ("kind", 0, 0, "y['kind']", 1.0),
        ("price", 1, 1, "y['price']", 1.0),
    ]
    assert [h.loss for h in found] == [
        losses.sparse_categorical_cross_entropy_with_logits,
        losses.mean_squared_error,
    ]


def test_a_sum_has_heads_with_weights_and_options_and_other_terms_are_named():
    def summed(out, y):
        price = losses.huber(out["price"], y["price"], delta=2.0)
        kind = losses.sparse_categorical_cross_entropy_with_logits(out["kind"], y["kind"])
        small = (out["price"] * out["price"]).mean()
        return {"both": 0.25 * price + 3 * kind, "small": small}

    found, unknown = heads_of(trainer(loss=summed).program, X, Y)
    assert unknown == ["small"]
    assert [(h.target_name, round(h.weight, 6)) for h in found] == [
        ("y['price']", 0.25),
        ("y['kind']", 3.0),
    ]
    price = found[0].loss(ct.Tensor([[5.0]]), ct.Tensor([[0.0]])).item()
    assert price == losses.huber(ct.Tensor([[5.0]]), ct.Tensor([[0.0]]), delta=2.0).item()


@pytest.mark.parametrize("objective", [False, True])
def test_chance_is_the_sum_over_the_targets(objective):
    p = plan(trainer(objective=True) if objective else trainer())
    evidence = Evidence(p, p.fresh(), Probes(*p.examples(slice(4))))
    share = Y["kind"].mean()
    entropy = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    assert evidence.chance_loss == pytest.approx(entropy + Y["price"].var(), rel=1e-5)


# data


def test_a_column_on_another_scale_is_named_by_its_array():
    x, held = (with_column(v, 2, 3000, 5000) for v in (X, HELD[0]))
    found = unscaled_inputs.look(seen(x=x, validation=(held, HELD[1])))
    assert found.where == "x['table'] column 2, in the inputs of layer table.0"
    assert found.evidence[0].value == pytest.approx(np.sqrt((x["table"] ** 2).mean(0)).max(), 0.2)


def test_columns_are_named_in_a_tuple_and_behind_a_join():
    class Joined(ct.Module):
        def __init__(self):
            self.out = ct.Linear(5, 1)

        def forward(self, a, b):
            return self.out(ops.concatenate([b, a], axis=1))

    ct.seed(0)
    net = Joined()
    made = ct.Trainer(net, loss=losses.mean_squared_error, optimizer=ct.SGD(net, 1e-6))
    x = (X["table"], 400 * X["table"][:, :1] ** 3)
    found = unscaled_inputs.look(seen(made, x, Y["price"], validation=None))
    assert found.where == "x[1] column 0, in the inputs of layer out"


def test_scaled_inputs_keep_ids_and_scale_validation_rows_alike():
    x, held = (with_column(v, 2, 3000, 5000) for v in (X, HELD[0]))
    changed = plan(x=x, validation=(held, HELD[1])).changed(changes.ScaleInputs())
    np.testing.assert_array_equal(changed.x["tokens"], X["tokens"])
    np.testing.assert_allclose(changed.x["table"].mean(0), 0, atol=1e-4)
    expected = (held["table"] - x["table"].mean(0, np.float64)) / x["table"].std(0, dtype=float)
    np.testing.assert_allclose(changed.validation[0]["table"], expected, rtol=1e-4, atol=1e-4)


def test_one_target_on_another_scale_is_named_and_scaled_back_alone():
    def grown(y):
        return {**y, "price": 500 * y["price"] + 3000}

    evidence = seen(y=grown(Y), validation=(HELD[0], grown(HELD[1])), epochs=15)
    found = unscaled_targets.look(evidence)
    assert found.where == "the targets y['price']"
    (change,) = found.prescriptions[0].changes
    treated = evidence.plan.changed(change)
    np.testing.assert_array_equal(treated.y["kind"], Y["kind"])
    np.testing.assert_allclose(treated.y["price"].std(), 1, rtol=1e-5)
    ended = treated.run()
    mean, std = treated.target_scale[1]
    out = ended.predict(X)
    back = {"kind": out["kind"], "price": (out["price"] * std + mean).astype(np.float32)}
    terms = both_losses(
        {name: ct.Tensor(leaf) for name, leaf in back.items()},
        {name: ct.Tensor(leaf) for name, leaf in grown(Y).items()},
    )
    score = ComparableScore(evidence.plan, [treated])
    assert score.sample(ended, treated) == pytest.approx(
        sum(t.item() for t in terms.values()), 1e-4
    )


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ({"x": {**X, "table": np.where(X["table"] > 2.4, np.nan, X["table"])}}, "x['table'], row"),
        ({"y": {**Y, "price": np.full_like(Y["price"], np.inf)}}, "y['price'], row 0, column 0"),
    ],
)
def test_nan_in_one_array_is_found_there(data, where):
    found = diagnose(plan(epochs=1, **data))
    assert codes(found.findings) == ["nan_source"]
    assert found.findings[0].where.startswith(where)


def test_validation_rows_unlike_the_training_rows_are_found_in_their_array():
    shifted = with_column(HELD[0], 1, 1.0, 4.0)
    found = data_shift.look(seen(validation=(shifted, HELD[1]), epochs=20))
    assert found.where == "the validation rows, x['table'] column 1"


def test_a_rare_class_of_one_target_is_found_in_it():
    # one row of thirty, which nothing in the inputs tells
    kind = (np.arange(len(Y["kind"])) % 30 == 0).astype(np.int32)
    found = class_imbalance.look(seen(y={**Y, "kind": kind}, validation=None))
    assert found.where == "class 1 of y['kind']: 8 of 240 rows"


# outputs


def test_an_output_that_cannot_reach_its_targets_is_found_and_the_other_is_not():
    class Positive(Both):
        def forward(self, table, tokens):
            out = super().forward(table, tokens)
            return {**out, "price": out["price"].relu()}

    ct.seed(0)
    found = wrong_output_activation.look(seen(trainer(Positive())))
    assert found.where == "the end of the network, its output (ReLU), which predicts y['price']"
    assert [p.changes for p in found.prescriptions] == [()]
    assert wrong_loss.look(seen()) is None


def test_probabilities_are_missed_where_one_term_takes_them():
    def mistaken(out, y):
        kind = losses.sparse_categorical_cross_entropy(out["kind"], y["kind"])
        return {**both_losses(out, y), "kind": kind}

    found = wrong_loss.look(seen(trainer(loss=mistaken)))
    assert found.where == "the end of the network, kind (linear), which predicts y['kind']"
    assert "sparse_categorical_cross_entropy_with_logits" in found.prescriptions[0].text


# the flow of signals


def test_dead_units_of_one_branch_are_found_in_it():
    ct.seed(0)
    net = Both()
    net.table[0].bias.data = net.table[0].bias.data - 100
    found = dead_units.look(seen(trainer(net), epochs=20))
    assert found.where == "layer table.1"
    assert found.evidence[0].value == 1


def deep():
    ct.seed(0)
    layers = [layer for k in range(8) for layer in (ct.Linear(24 if k else 4, 24), ct.Sigmoid())]
    net = Both(ct.Sequential(*layers))
    return ct.Trainer(net, loss=both_losses, optimizer=ct.SGD(net, 0.1))


@pytest.mark.slow  # a deep branch compiles for long
def test_a_gradient_that_vanishes_in_one_branch_is_found_though_the_other_learns():
    found = vanishing_gradient.look(seen(deep(), epochs=20))
    assert found.where == "layer table.0 has the smallest gradient"


def test_a_learning_rate_far_too_high_is_found():
    assert learning_rate_too_high.look(seen(trainer(lr=10.0), epochs=10)).code


def test_what_needs_a_plain_network_to_compare_with_is_noted():
    evidence = seen(trainer(lr=1e-4), epochs=1)
    assert underfitting.look(evidence) is None
    assert evidence.notes == [
        "Not checked: underfitting, because there is no plain network to compare with for several "
        "inputs or outputs."
    ]


# all of it


@pytest.mark.slow  # all symptoms of two networks
@pytest.mark.parametrize("made", ["dict", "tuple", "objective"])
def test_a_healthy_training_has_no_findings(made):
    p = plan(trainer(objective=True) if made == "objective" else None)
    if made == "tuple":

        def as_tuple(x):
            return (x["table"], x["tokens"])

        held = (as_tuple(p.validation[0]), p.validation[1])
        p = dataclasses.replace(p, x=as_tuple(p.x), validation=held)
    found = diagnose(p)
    assert codes(found.findings) == []
    assert found.notes == [] and found.plan is p
    assert codes(preflight(p).findings) == []


def test_a_healthy_start_passes_the_preflight_and_says_what_it_saw():
    looked = preflight(plan())
    assert codes(looked.findings) == []
    assert looked.notes[0] == "2 classes of y['kind']; the rarest has 112 of 240 rows"


def test_an_input_that_is_not_used_is_named():
    ct.seed(0)
    net = Both()
    net.table[0].bias.data = net.table[0].bias.data - 100
    found = {f.code: f for f in preflight(plan(trainer(net))).findings}
    assert found["input_ignored"].where == "x['table']"
    assert found["frozen_parameters"].where == "table.0.weight, table.0.bias"


def test_terms_that_are_no_losses_of_the_package_are_noted():
    def custom(out, y):
        terms = both_losses(out, y)
        return {**terms, "price": (out["price"] - y["price"]).abs().mean()}

    looked = preflight(plan(trainer(loss=custom)))
    assert codes(looked.findings) == []
    assert looked.notes[-1] == (
        "Not checked: the term 'price' of the loss against its targets, because it is none of "
        "cutaway.losses of an output of the network and a target."
    )


def test_a_glance_after_training_sees_trees():
    p = plan(trainer(), epochs=3)
    probes, ended = Probes(p.x, p.y), p.fresh()
    p.run(trainer=ended, callbacks=[probes])
    assert glance(p, ended, probes) is None


@pytest.mark.slow  # fifteen trainings
def test_what_is_prescribed_for_one_array_is_tried_and_helps():
    x, held = (with_column(v, 2, 3000, 5000) for v in (X, HELD[0]))
    evidence = seen(x=x, validation=(held, HELD[1]), epochs=10)
    finding = unscaled_inputs.look(evidence)
    found = diagnose(dataclasses.replace(evidence.plan, epochs=1))
    treated = treat(dataclasses.replace(found, plan=evidence.plan, findings=[finding]), seeds=5)
    assert treated.best is not None and "standardize the inputs" in treated.best.name


@pytest.mark.parametrize(
    "change",
    [
        changes.ReplaceLoss("mean_squared_error"),
        changes.ClassWeights(),
        changes.OutputActivation("softmax"),
    ],
)
def test_changes_of_the_only_loss_or_output_are_refused_for_several(change):
    with pytest.raises(ct.errors.OptionError, match="several"):
        plan().changed(change)


@pytest.mark.parametrize(
    "change",
    [
        changes.ReplaceActivations("tanh"),
        changes.Reinitialize("he_normal"),
        changes.InsertLayerNorm(),
        changes.SetDropout(0.2),
        changes.UseOptimizer("sgd"),
        changes.Clip(1.0),
        changes.BatchSize(2.0),
    ],
)
def test_changes_of_the_whole_work_on_several_inputs_and_outputs(change):
    changed = plan().changed(change)
    assert np.isfinite(changed.run(epochs=1).history["loss"]).all()
    layers = {path: type(m).__name__ for path, m in changed.program.net.modules().items()}
    assert layers["kind"] == layers["price"] == "Linear"  # the ends are left alone
    if isinstance(change, changes.ReplaceActivations):
        assert layers["table.1"] == layers["joined.1"] == "Tanh"
    if isinstance(change, changes.InsertLayerNorm):
        assert layers["table.1"] == layers["joined.1"] == "LayerNorm"
