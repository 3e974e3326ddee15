"""One file a library: how it solves a problem at a given tolerance.

A file has ``DISTRIBUTION``, its name at the package index; ``TOLERANCES``, loose to
tight, in the library's own meaning, if it has any of the first of these functions; and
those of the functions that the library can do, each of a problem (`X`, `y`, `alphas`,
`fit_intercept`, `group_size`) and options:

``path(problem, tol)``
    Coefficients (n_features, n_alphas) and intercepts (n_alphas,).
``group_path(problem, tol)``
    The same of the group Lasso, neighbouring columns by `group_size` a group.
``fit(problem, tol)``
    The same of an estimator fitted at the one alpha given, from nothing.
``cross_validate(problem, n_jobs, **options)``
    The same of the fit on all data, and the alpha that 5 folds chose. `alphas` is not
    used: every library makes its own 100, down to a thousandth of the largest.
``logistic_path(problem, tol)``
    As `path`, of L1-penalised logistic regression; y is 0 or 1.
``mcp_path(problem, tol, gamma)``, ``mcp_fit(problem, tol, gamma)``
    As `path` and `fit`, with the minimax concave penalty on columns of mean square 1.

Codes and dictionaries are of problems with `X`, the rows; `atoms`, which have length 1;
`n_components`, `alpha`, `n_nonzero_coefs` and a `seed`:

``encode(problem, method, n_jobs)``
    Codes (n_rows, n_components), dense or sparse, as the library makes them.
``learn(problem, n_jobs, epochs, batch_size)``
    Atoms (n_components, n_features), learned online with codes of the Lasso.
``ksvd(problem, n_jobs, epochs)``
    The same by K-SVD with codes of so many non-zeros.
``kmeans(problem, n_jobs, epochs, spherical)``
    Centroids (n_components, n_features) after so many passes that start at `atoms`,
    which have any length here.
``centroid_codes(problem, n_jobs, method)``
    Codes by the centroids `atoms`, "triangle", or "topk": the largest of these.

Networks are of problems with `X`, the rows in the order in which they are met, once;
`atoms` to start from; `n_nonzero_coefs`, `batch_size` and the learning `rate`:

``topk(problem, n_jobs, variant, n_rows)``
    A top-k autoencoder, trained on the first `n_rows`, all if None: its decoder,
    encoder and bias side by side, a row a unit, and the bias of its output.

Networks are of problems with rows `X` and labels `y`, parameters `values` to start from
and what `networks.Training` says:

``train(problem, n_epochs, n_threads)``
    Parameters (n_parameters, 1), weights (n_in, n_out) row by row and biases by layer.

`worker.py` runs one of these files in a process of its own.
"""

NAMES = ("sparselearn", "scikit-learn", "celer", "skglm", "glmnet", "adelie")
