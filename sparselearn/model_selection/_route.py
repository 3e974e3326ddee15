"""A pipeline around the step whose parameter is searched: before it, it, and after."""

from copy import copy
from typing import NamedTuple

from sklearn import get_config
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import process_routing

__all__ = ["Params", "Route", "route_of"]


class Params(NamedTuple):
    """Keyword arguments of `fit` by part; `rest` are those of all but `before`."""

    before: dict
    carrier: dict
    after: dict
    rest: dict


class Route(NamedTuple):
    """The parts of an estimator.

    Parameters
    ----------
    estimator : estimator
        The whole.
    place : int or None
        Which step of it has the parameter; None if `estimator` itself has.
    parameter : str
        What the step calls it.
    """

    estimator: object
    place: int | None
    parameter: str

    @property
    def carrier(self):
        """The estimator that has the parameter."""
        if self.place is None:
            return self.estimator
        return self.estimator.steps[self.place][1]

    @property
    def is_last(self):
        return self.place is None or self.place == len(self.estimator.steps) - 1

    @property
    def before(self):
        """An unfitted copy of the steps before; None without any."""
        return clone(self.estimator[: self.place]) if self.place else None

    def rest(self, value):
        """An unfitted copy of the other steps, with a value of the parameter."""
        if self.place is None:
            return clone(self.estimator).set_params(**{self.parameter: value})
        name = self.estimator.steps[self.place][0]
        rest = clone(self.estimator[self.place :])
        return rest.set_params(**{f"{name}__{self.parameter}": value})

    @property
    def after(self):
        """An unfitted copy of the steps after."""
        return clone(self.estimator[self.place + 1 :])

    def whole(self, before, rest):
        """The estimator made of its fitted parts."""
        if self.place is None:
            return rest
        whole = copy(self.estimator)
        whole.steps = [*_steps(before), *rest.steps]
        return whole

    def around(self, before, carrier, after):
        """The estimator made of its fitted parts, the step with the parameter one."""
        if self.place is None:
            return carrier
        name = self.estimator.steps[self.place][0]
        return self.whole(before, Pipeline([(name, carrier), *_steps(after)]))

    def split(self, params):
        """`params` of `fit` as `Params`; ValueError if they are not for steps."""
        if self.place is None:
            return Params({}, params, {}, params)
        if get_config()["enable_metadata_routing"]:
            return self._routed(params)
        names = [name for name, _ in self.estimator.steps]
        places = {name: names.index(name.split("__")[0]) for name in params}
        before = {n: p for n, p in params.items() if places[n] < self.place}
        rest = {n: p for n, p in params.items() if places[n] >= self.place}
        prefix = f"{names[self.place]}__"
        own = {n: p for n, p in rest.items() if n.startswith(prefix)}
        carrier = {name.removeprefix(prefix): param for name, param in own.items()}
        after = {n: p for n, p in rest.items() if n not in own}
        return Params(before, carrier, after, rest)

    def _routed(self, params):
        name = self.estimator.steps[self.place][0]
        carrier = {}
        if params:
            routed = process_routing(self.estimator, "fit", **params)[name]
            of_both = not self.is_last and hasattr(self.carrier, "fit_transform")
            carrier = dict(routed.fit_transform if of_both else routed.fit)
        steps, place = self.estimator, self.place
        before = _consumed(steps[:place], "fit_transform", params)
        after = _consumed(steps[place + 1 :], "fit", params)
        rest = _consumed(steps[place:], "fit", params)
        return Params(before, carrier, after, rest)


def _steps(pipeline):
    return [] if pipeline is None else pipeline.steps


def _consumed(pipeline, method, params):
    if not params or not pipeline.steps:
        return {}
    names = pipeline.get_metadata_routing().consumes(method, params)
    return {name: param for name, param in params.items() if name in names}


def route_of(estimator, name, *, in_place=False):
    """The `Route` to parameter `name`; None if the whole is to be fitted each time.

    That is a pipeline of another class, one with a parameter of its own in question,
    and, unless `in_place`, whatever works in the place of its input, which then cannot
    be shared.
    """
    if not in_place and any(
        value is False and key.rpartition("__")[2].startswith("copy")
        for key, value in estimator.get_params().items()
    ):
        return None
    if not isinstance(estimator, Pipeline):
        return Route(estimator, None, name)
    step, _, parameter = name.partition("__")
    names = [name for name, _ in estimator.steps]
    transforms_input = getattr(estimator, "transform_input", None)
    if type(estimator) is not Pipeline or transforms_input or step not in names:
        return None
    return Route(estimator, names.index(step), parameter) if parameter else None
