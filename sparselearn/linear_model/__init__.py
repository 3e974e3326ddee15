"""Sparse linear models, each with a certificate of optimality."""

from sparselearn._solvers._path import PathResult
from sparselearn.linear_model._adaptive_lasso import AdaptiveLasso
from sparselearn.linear_model._cv import ElasticNetCV, LassoCV
from sparselearn.linear_model._elastic_net import ElasticNet
from sparselearn.linear_model._folded_concave import MCPRegressor, SCADRegressor
from sparselearn.linear_model._glm_regressors import (
    SparseHuberRegressor,
    SparsePoissonRegressor,
)
from sparselearn.linear_model._group_lasso import GroupLasso, SparseGroupLasso
from sparselearn.linear_model._group_lasso_cv import GroupLassoCV
from sparselearn.linear_model._group_lasso_path import group_lasso_path
from sparselearn.linear_model._information import (
    InformationCriterion,
    information_criterion,
)
from sparselearn.linear_model._lasso import Lasso
from sparselearn.linear_model._logistic import SparseLogisticRegression
from sparselearn.linear_model._logistic_cv import SparseLogisticRegressionCV
from sparselearn.linear_model._logistic_path import logistic_path
from sparselearn.linear_model._multitask import MultiTaskElasticNet, MultiTaskLasso
from sparselearn.linear_model._multitask_cv import MultiTaskLassoCV
from sparselearn.linear_model._omp import OrthogonalMatchingPursuit
from sparselearn.linear_model._path import alpha_max, elastic_net_path, lasso_path
from sparselearn.linear_model._sparse_glm import SparseGLMRegressor

__all__ = [
    "AdaptiveLasso",
    "ElasticNet",
    "ElasticNetCV",
    "GroupLasso",
    "GroupLassoCV",
    "InformationCriterion",
    "Lasso",
    "LassoCV",
    "MCPRegressor",
    "MultiTaskElasticNet",
    "MultiTaskLasso",
    "MultiTaskLassoCV",
    "OrthogonalMatchingPursuit",
    "PathResult",
    "SCADRegressor",
    "SparseGLMRegressor",
    "SparseGroupLasso",
    "SparseHuberRegressor",
    "SparseLogisticRegression",
    "SparseLogisticRegressionCV",
    "SparsePoissonRegressor",
    "alpha_max",
    "elastic_net_path",
    "group_lasso_path",
    "information_criterion",
    "lasso_path",
    "logistic_path",
]
