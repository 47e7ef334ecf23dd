"""Whether scikit-learn is there, whose classes the estimators are derived from."""

from cutaway.errors import CutawayError, install_extra


def expect_sklearn() -> None:
    """Raise CutawayError unless a scikit-learn with `validate_data` is installed."""
    try:
        from sklearn.utils.validation import validate_data  # noqa: F401
    except ImportError as error:
        raise CutawayError(
            "the estimators need scikit-learn 1.6 or later, which is not installed",
            expected='the extra "estimators"',
            fix=install_extra("estimators"),
        ) from error
