"""diagnose: train under probes, check every symptom, rank the findings."""

import math

import numpy as np

from cutaway.doctor import course, symptoms
from cutaway.doctor.evidence import Evidence, note_missing, note_other_terms
from cutaway.doctor.finding import Diagnosis, Finding
from cutaway.doctor.time_left import NoTimeLeftError
from cutaway.doctor.training_plan import TrainingPlan
from cutaway.errors import CutawayError, OptionError
from cutaway.leaves import modules_of
from cutaway.train import Trainer

# If a cure leaves HALF times the loss that another one leaves, it does not fix the root cause, and
# the confidence of its finding is lowered by LESS.
HALF, LESS = 2.0, 0.1
NEARLY = 0.15  # how much less confident a cause may be than its effect and still rank before it


def diagnose(
    plan,
    x=None,
    y=None,
    *,
    validation=None,
    epochs: int = 100,
    batch_size: int = 32,
    seed: int = 0,
    watch=None,
) -> Diagnosis:
    """Find what is wrong with a training: the evidence and what to change.

    The training runs once under probes, then again in part if a symptom needs an experiment. The
    arguments are not modified.

    Args:
        plan: a TrainingPlan, or a Trainer that has not trained yet.
        x, y: training arrays, with a Trainer.
        validation: (x, y) of validation rows, if any.
        epochs, batch_size: as for Trainer.fit.
        seed: random seed for the order of the rows.
        watch: function that is called with a description of each check before it starts.

    Raises:
        OptionError: a Trainer without data, or data together with a TrainingPlan.
        ShapeError, OptionError, DataError: training cannot start; the message says why.

    Example:
        >>> import numpy as np, cutaway as ct
        >>> x = np.random.default_rng(0).normal(size=(64, 3))
        >>> net = ct.Sequential(ct.Linear(3, 1))
        >>> trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error)
        >>> diagnosis = ct.diagnose(trainer, x, x.sum(axis=1), epochs=2)
        >>> diagnosis.healthy
        False
    """
    notes = []
    if isinstance(plan, Trainer):
        if x is None or y is None:
            raise OptionError(
                "diagnose was given a trainer without data",
                expected="diagnose(trainer, x, y)",
                fix="pass the training arrays: a Trainer does not store them",
            )
        if int(plan.optimizer.step_count.data):
            notes.append(
                "This trainer has trained before: the diagnosis starts from its present weights."
            )
        plan = TrainingPlan.of(
            plan, x, y, validation=validation, epochs=epochs, batch_size=batch_size, seed=seed
        )
    elif not isinstance(plan, TrainingPlan):
        raise OptionError(
            f"diagnose was given a {type(plan).__name__}",
            expected="a Trainer with x and y, or a doctor.TrainingPlan",
        )
    elif x is not None or y is not None or validation is not None:
        raise OptionError(
            "diagnose was given both a TrainingPlan and data",
            fix="omit the data: a TrainingPlan contains its own",
        )
    watch = watch or (lambda what: None)
    watch("training under probes")
    with np.errstate(all="ignore"):
        evidence = Evidence.gather(plan)
    if evidence.trouble is not None:
        notes.append(f"Training stopped: {evidence.trouble.came}.")
    found, unchecked = [], []
    symptoms_of = all_symptoms()
    if plan.program.alternates:
        symptoms_of = all_symptoms("look_in_turns")
        names = ", ".join(code.replace("_", " ") for code in symptoms_of)
        evidence.not_checked(
            f"anything but {names}",
            "networks that train in turn have no chance level, and losses that rise or stay are "
            "no fault of theirs",
        )
    if not evidence.trained:  # nothing else can be checked on data with NaN
        symptoms_of = {"nan_source": symptoms_of["nan_source"]}
    for code, look in symptoms_of.items():
        watch(code.replace("_", " "))
        try:
            with np.errstate(all="ignore"):  # what overflows is a finding, not a warning
                finding = look(evidence)
        except NoTimeLeftError:
            unchecked.append(code.replace("_", " "))
            continue
        except CutawayError as error:
            notes.append(f"{code.replace('_', ' ')} could not be checked: {error.came}.")
            continue
        if finding is not None:
            found.append(finding)
    if unchecked:
        evidence.not_checked(
            ", ".join(unchecked),
            f"each needs more trainings of {plan.epochs * evidence.epoch_seconds:.0f} s, and "
            f"{plan.seconds:.0f} s are for all of them",
        )
    if evidence.trained and not plan.program.alternates:
        note_other_terms(evidence)
        note_missing(evidence)
    told, unlearned = _in_words(evidence)
    if told and found and not any(finding.code == "overfitting" for finding in found):
        notes.append(told)
    notes += evidence.notes
    ranked, explained = rank(found)
    notes += [
        f"{code.replace('_', ' ')} is probably an effect of {cause.replace('_', ' ')}."
        for code, cause in explained.items()
    ]
    return Diagnosis(ranked, notes, plan, evidence, told, unlearned)


def _in_words(evidence) -> tuple[str, str]:
    """(overfits, learned_nothing) of a training; see course."""
    if evidence.plan.program.alternates or not evidence.trained or not len(evidence.losses):
        return "", ""
    rows = evidence.trainer.history.rows
    rises = "" if evidence.plan.has_cycles else course.overfits(rows, evidence.kept_epoch)
    return rises, course.learned_nothing(evidence)


def all_symptoms(name: str = "look") -> dict:
    """{code: what it has of this name} of the modules in doctor/symptoms, in alphabetical order.

    Args:
        name: "look", which every one has; "look_in_turns", for networks that train in turn;
            "look_live", for a training that runs, without experiments; "GOES_ON", where the
            weights of such a training are not spoiled.
    """
    found = {code: getattr(module, name, None) for code, module in _modules().items()}
    return {code: value for code, value in found.items() if value is not None}


def _modules() -> dict:
    """{code: module} of the symptoms."""
    found = modules_of(symptoms.__name__, symptoms.__path__)
    return {m.__name__.rpartition(".")[2]: m for m in found if hasattr(m, "look")}


def effects() -> dict[str, set]:
    """{code: codes of the symptoms that it explains}, as each symptom's file declares.

    A symptom has a FAMILY ("flow", "unstable", "slow", or "stuck", which is slow too) where others
    may cause it as one of a kind; its EXPLAINS names codes and families.
    """
    modules = _modules()
    families = {}
    for code, module in modules.items():
        family = getattr(module, "FAMILY", "")
        for name in ("stuck", "slow") if family == "stuck" else (family,):
            families.setdefault(name, set()).add(code)
    found = {}
    for code, module in modules.items():
        names = getattr(module, "EXPLAINS", ())
        found[code] = set().union(*(families.get(name, {name}) for name in names)) - {code}
    return found


def rank(findings: list[Finding]) -> tuple:
    """The findings by confidence; those that another finding explains come last.

    A cause explains an effect only if it is about as confident; of two findings that may explain
    each other, the more confident one is the cause.

    Returns:
        ([Finding], {code of the effect: code of its cause})
    """
    if len(findings) < 2:
        return findings, {}
    explained_by = effects()
    best = min((f.cured for f in findings if math.isfinite(f.cured)), default=math.nan)

    def trust(finding):
        confidence = finding.confidence if math.isfinite(finding.confidence) else 0.0
        return confidence - LESS * (finding.cured > HALF * best and finding.cured > 1 / HALF)

    def explains(cause, effect):
        if effect.code not in explained_by.get(cause.code, ()):
            return False
        if cause.code in explained_by.get(effect.code, ()):
            return trust(cause) > trust(effect)
        return trust(cause) >= trust(effect) - NEARLY

    by_trust = sorted(findings, key=lambda f: -trust(f))
    explained = {}
    for finding in by_trust:
        causes = [other for other in by_trust if explains(other, finding)]
        if causes:
            explained[finding.code] = causes[0].code
    if by_trust and len(explained) == len(by_trust):  # in a cycle
        del explained[by_trust[0].code]
    first = [f for f in by_trust if f.code not in explained]
    return first + [f for f in by_trust if f.code in explained], explained
