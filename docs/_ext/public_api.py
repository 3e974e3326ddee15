"""What autodoc shows of a class: the methods of this package, and true signatures."""

import inspect
import re

__all__ = ["setup"]


def _skip(app, what, name, obj, skip, options):
    """Leave out what comes from elsewhere: scikit-learn's methods, tuple's, aliases."""
    if what != "class" or name.startswith("_"):
        return None
    function = getattr(obj, "fget", obj)  # of a property
    home = getattr(inspect.unwrap(function), "__module__", None) or ""
    return None if home.partition(".")[0] == "sparselearn" else True


def _signature(app, what, name, obj, options, signature, returns):
    """Specs take their fields; their own ``__new__`` takes whatever can be coerced."""
    if what != "class" or not hasattr(obj, "_fields"):
        return None
    fields = (
        f"{field}={obj._field_defaults[field]!r}"
        if field in obj._field_defaults
        else field
        for field in obj._fields
    )
    return f"({', '.join(fields)})", returns


# The type of a parameter in a numpydoc section, and in it a name like n_features_in_,
# which docutils would take for a link.
_TYPE = re.compile(r"^(\w+ : )(.*)$")
_NAME = re.compile(r"(?<![`\w])(\w+_)(?![`\w])")


def _quote_names(app, what, name, obj, options, lines):
    for i, line in enumerate(lines):
        lines[i] = _TYPE.sub(lambda m: m[1] + _NAME.sub(r"``\1``", m[2]), line)


def setup(app):
    """Connect the handlers."""
    app.connect("autodoc-skip-member", _skip)
    app.connect("autodoc-process-signature", _signature)
    # Before numpydoc, which is at 500.
    app.connect("autodoc-process-docstring", _quote_names, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
