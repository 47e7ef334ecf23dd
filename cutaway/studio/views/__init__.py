"""The views of the studio, one file each: the decision boundary, feature maps, gates, ..."""

from cutaway.leaves import objects_of
from cutaway.studio.views.contract import View


def _is_view(value) -> bool:
    return isinstance(value, type) and issubclass(value, View) and value is not View


VIEWS: dict[str, View] = {view.name: view() for view in objects_of(__name__, __path__, _is_view)}
