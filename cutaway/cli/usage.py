"""Errors in how a command was called, worded as all other errors."""

from typing import Any

import typer

from cutaway.errors import OptionError, did_you_mean

UsageError: Any = typer.BadParameter.__mro__[1]  # of Typer, which does not export it


def is_help(error) -> bool:
    """Whether it only says that a command without arguments has shown its help."""
    return type(error).__name__ == "NoArgsIsHelpError"


def usage_error(error) -> OptionError:
    """The OptionError for one of Typer's."""
    context, kind = error.ctx, type(error).__name__
    command = "cutaway" if context is None else context.command_path
    see = f"see {command} --help"
    option: Any = getattr(error, "option_name", None)
    param: Any = getattr(error, "param", None)
    names = list(getattr(getattr(context, "command", None), "commands", ()))
    if kind == "NoSuchOption" and _is_formula(option, context):
        return OptionError(
            f"{option} ... at the beginning of an argument is read as an option",
            expected="-- before a formula that begins with a minus, after all options",
            fix=f'write for example: {command} -- "-x**2"',
        )
    if kind == "NoSuchOption":
        return OptionError(
            f"{command} has no option {option}",
            expected=f"one of the options in {command} --help",
            fix=_near(str(option), context) or see,
        )
    if option is not None:
        return OptionError(
            f"{option} was given without a value", expected=f"{option} VALUE", fix=see
        )
    if kind == "MissingParameter":
        return OptionError(f"{_name(param)} is missing", expected=_usage(context), fix=see)
    if param is not None:
        details = getattr(error.__cause__, "errors", list)()
        if not details:
            came = f"{_name(param)}: {_lower(error.message)}"
            return OptionError(came, expected=_usage(context), fix=see)
        came = f"{_name(param)} is {details[0].get('input')!r}"
        return OptionError(came, expected=_expected(error.message), fix=see)
    if names:
        wrong = error.message.partition("'")[2].partition("'")[0]
        return OptionError(
            f"unknown command {wrong!r}",
            expected="one of " + ", ".join(names),
            fix=did_you_mean(wrong, names),
        )
    extra = error.message.partition("extra argument")[2].partition("(")[2].rpartition(")")[0]
    extra = extra.rpartition("(")[2]  # of "(s) (b.csv)"
    came = f"unexpected argument {extra}" if extra else _lower(error.message)
    return OptionError(came, expected=_usage(context), fix=see)


def _is_formula(option, context) -> bool:
    """Whether what came as an unknown option may be the beginning of a formula, "-x**2"."""
    takes_one = getattr(getattr(context, "command", None), "name", None) in ("race", "plot")
    return takes_one and str(option)[1:2] in tuple("xy(0123456789.")


def _near(name: str, context) -> str:
    """did_you_mean, if the command has an option whose name is near."""
    if context is None:
        return ""
    params = context.command.get_params(context)
    known = [flag for p in params for flag in (*p.opts, *p.secondary_opts) if flag[0] == "-"]
    found = did_you_mean(name, known)
    return found if found.startswith("did you mean") else ""


def _name(param) -> str:
    """What the help calls a parameter: RUN, or --epochs."""
    flags = [name for name in param.opts if name.startswith("-")]
    return max(flags, key=len) if flags else (param.metavar or param.name.upper()).strip("[]")


def _expected(message: str) -> str:
    """ "an integer" of "Input should be a valid integer, unable to parse string as an integer"."""
    what = message.partition("should be a valid ")[2].partition(",")[0]
    article = "an" if what[:1] in "aeiou" else "a"
    return f"{article} {what}" if what else _lower(message)


def _usage(context) -> str:
    """The command with its arguments, as the help shows it."""
    if context is None:
        return "cutaway COMMAND"
    arguments = [p for p in context.command.get_params(context) if p.param_type_name == "argument"]
    shown = [_name(p) if p.required else f"[{_name(p)}]" for p in arguments]
    return " ".join([context.command_path, *shown, "[OPTIONS]"])


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")
