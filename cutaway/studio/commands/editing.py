"""Commands that change a network, its optimizer or its data while it trains."""

from typing import Annotated

import msgspec

from cutaway.studio import structure
from cutaway.studio.commands.contract import Command, StructureEdit
from cutaway.studio.commands.playing import Path, Place

Number = int | float
Index = Annotated[tuple[Place, ...], msgspec.Meta(max_length=8)]


class SetNumber(Command, tag="number"):
    """Another learning rate, beta, weight decay, ... of the optimizer."""

    name: Path
    value: Number | list[Number]
    lane: Place = 0

    def apply(self, session, client):
        session.lanes.set_number(self.lane, self.name, self.value)


class ChangeOptimizer(StructureEdit, kw_only=True, tag="optimizer"):
    """Another optimizer, by the name of its class."""

    name: Path
    numbers: dict[str, Number | list[Number]] = msgspec.field(default_factory=dict)

    def edit(self):
        return structure.optimizer_edit(self.name, dict(self.numbers))

    def words(self):
        return f"optimizer {self.name}"


class ChangeUnits(StructureEdit, kw_only=True, tag="units"):
    """A layer of so many units."""

    path: Path
    count: Place

    def edit(self):
        return structure.units_edit(self.path, self.count)

    def words(self):
        return f"{self.count} units in layer {self.path}"


class ChangeActivation(StructureEdit, kw_only=True, tag="activation"):
    """Another activation function; path None: of all hidden layers."""

    name: Path
    path: Path | None = None

    def edit(self):
        return structure.activation_edit(self.path, self.name)

    def words(self):
        return f"{self.name} in {self.path or 'all hidden layers'}"


class AddLayer(StructureEdit, kw_only=True, tag="add_layer"):
    """One more hidden layer after the activation at `after`."""

    after: Path
    units: Place
    activation: Path

    def edit(self):
        return structure.added_edit(self.after, self.units, self.activation)

    def words(self):
        return "one more layer"


class RemoveLayer(StructureEdit, kw_only=True, tag="remove_layer"):
    """Without a hidden layer."""

    path: Path

    def edit(self):
        return structure.removed_edit(self.path)

    def words(self):
        return "one layer less"


class LookAhead(Command, tag="ahead"):
    """The pointer is at a button: compile the change that it stands for."""

    change: ChangeOptimizer | ChangeUnits | ChangeActivation | AddLayer | RemoveLayer

    def apply(self, session, client):
        session.lanes.look_ahead(self.change.lane, self.change.edit())


class NewWeights(Command, tag="seed_weights"):
    """New weights, drawn by an initializer; None: each layer's own."""

    initializer: Path | None = None
    seed: Place = 0
    lane: Place = 0

    def apply(self, session, client):
        edit = structure.weights_edit(self.initializer, self.seed)
        session.lanes.change_values(self.lane, edit, f"new weights: {self.initializer or 'drawn'}")


class Freeze(Command, tag="freeze"):
    """Keep a parameter, or one weight of it, as it is; or let it be trained again."""

    path: Path
    frozen: bool
    index: Index | None = None
    lane: Place = 0

    def apply(self, session, client):
        session.lanes.freeze(self.lane, self.path, self.index, self.frozen)


class EditWeight(Command, tag="edit"):
    """Another value of one weight."""

    path: Path
    index: Index
    value: Annotated[float, msgspec.Meta(ge=-1e30, le=1e30)]
    lane: Place = 0

    def apply(self, session, client):
        session.lanes.edit_weight(self.lane, self.path, self.index, self.value)


class ChangeBatchSize(Command, tag="batch"):
    """Another batch size, for all networks."""

    size: Annotated[int, msgspec.Meta(ge=1, le=100_000)]

    def apply(self, session, client):
        session.lanes.set_batch_size(self.size)
        session.say_state()


class ChangeNoise(Command, tag="noise"):
    """Noise of this standard deviation on the encoded inputs of the training rows."""

    value: Annotated[float, msgspec.Meta(ge=0, le=10)]

    def apply(self, session, client):
        session.lanes.set_noise(self.value)
        session.say_state()
