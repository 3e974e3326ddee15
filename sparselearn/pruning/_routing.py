"""Who gets which of the metadata that `fit` is given."""

from numbers import Real
from types import NoneType

from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.validation import check_consistent_length

__all__ = ["RoutesMixin"]


class RoutesMixin:
    """Routing for a meta-estimator that has `estimator` and `cv`.

    Its own `sample_weight` is that of calibration and validation; without metadata
    routing it goes to the last step of the estimator as well.
    """

    @property
    def _routed_to(self):
        """Whose `fit` and `score` get metadata."""
        return self.estimator

    def _routed(self, X, sample_weight, groups, fit_params):
        """What the estimator's `fit`, the calibration, and `cv` get."""
        if not isinstance(sample_weight, (Real, NoneType)):
            check_consistent_length(X, sample_weight)
        if get_config()["enable_metadata_routing"]:
            given = {"sample_weight": sample_weight, "groups": groups}
            fit_params |= {name: a for name, a in given.items() if a is not None}
            routed = process_routing(self, "fit", **fit_params)
            of_cv = {"groups": groups}
            if hasattr(self.cv, "get_metadata_routing"):
                of_cv = routed.splitter.split
            return routed.estimator.fit, sample_weight, of_cv
        prefix, estimator = "", self._routed_to
        while isinstance(estimator, Pipeline):
            name, estimator = estimator.steps[-1]
            prefix += f"{name}__"
        key = f"{prefix}sample_weight"
        if sample_weight is not None:
            fit_params[key] = sample_weight
        return fit_params, fit_params.get(key), {"groups": groups}

    def get_metadata_routing(self):
        """How metadata are routed: to the estimator, and from `fit` to `cv`.

        Returns
        -------
        routing : MetadataRouter
        """
        mapping = (
            MethodMapping()
            .add(caller="fit", callee="fit")
            .add(caller="score", callee="score")
        )
        if hasattr(self._routed_to, "partial_fit"):
            mapping.add(caller="partial_fit", callee="partial_fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        router.add(estimator=self._routed_to, method_mapping=mapping)
        if hasattr(self.cv, "get_metadata_routing"):
            of_cv = MethodMapping().add(caller="fit", callee="split")
            router.add(splitter=self.cv, method_mapping=of_cv)
        return router
