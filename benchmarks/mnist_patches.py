"""Handwritten digits by pooled codes of patches, and what fewer active codes cost.

    SPARSELEARN_DATA=DIR python benchmarks/mnist_patches.py [--levels 1 3 10 30]

The first 10000 training images of MNIST, its 10000 test images, and the next 10000
training images, of which nothing was known when the settings below were chosen: that
was done on test images. Patches of 6 x 6 are whitened, and encoded by the directions of
400 spherical centroids, with a soft threshold and both signs; codes are summed over
quadrants. The roots of these sums, standardised, go to a linear support vector machine.
Centroids are learned once; then codes are made with all entries beyond the threshold,
and with the largest few.
"""

import os
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import measure
import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

import sparselearn
from sparselearn.cluster import KMeansCoder
from sparselearn.feature_extraction import PatchEncoder

N_TRAINING = 10_000
CLASSIFIERS = {
    # The last digits of the weights take most of the time, and decide nothing.
    "linear SVM": LinearSVC(C=0.003, dual=True, max_iter=50, random_state=0),
    "ridge": RidgeClassifier(alpha=30.0),
}
VERSIONS = {
    "sparselearn": SimpleNamespace(version=sparselearn.__version__),
    "scikit-learn": SimpleNamespace(version=sklearn.__version__),
}


def make_encoder(n_jobs):
    coder = KMeansCoder(
        400,
        spherical=True,
        whiten="zca",
        whiten_eps=1.0,
        encoder="soft-threshold",
        split_sign=True,
        max_iter=15,
        random_state=0,
        n_jobs=n_jobs,
    )
    return PatchEncoder(
        coder,
        patch_size=6,
        n_patches=30_000,
        contrast_eps=0.1,
        sparse_output=False,
        random_state=0,
        n_jobs=n_jobs,
    )


def timed(function, *args):
    start = time.perf_counter()
    return function(*args), time.perf_counter() - start


def patches_of(images, contrast):
    """All patches of `images`, as the coder is given them."""
    windows = np.lib.stride_tricks.sliding_window_view(images, (6, 6), axis=(1, 2))
    rows = windows.reshape(-1, 36).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    return rows / np.sqrt(rows.var(axis=1, keepdims=True) + contrast)


def score(name, codes, y, test_codes, y_test):
    """Accuracy on the test images, and the seconds that the fit took."""
    classifier = make_pipeline(
        FunctionTransformer(np.sqrt), StandardScaler(), CLASSIFIERS[name]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        _, seconds = timed(classifier.fit, codes, y)
    return classifier, float(classifier.score(test_codes, y_test)), seconds


def images_of(file, places=slice(None)):
    """Images, as bytes, and labels of a file of SPARSELEARN_DATA."""
    folder = os.environ.get("SPARSELEARN_DATA")
    if not folder:
        raise SystemExit("SPARSELEARN_DATA names no folder, where the images would be.")
    arrays = np.load(Path(folder) / file)
    return arrays["X"][places].reshape(-1, 28, 28), arrays["y"][places]


def main():
    parser = measure.arguments(__doc__)
    parser.add_argument("--levels", type=int, nargs="*", default=[10, 5, 2, 1])
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    X, y = images_of("mnist_train60k.npz", slice(N_TRAINING))
    X_test, y_test = images_of("mnist_t10k.npz")
    X_other, y_other = images_of(
        "mnist_train60k.npz", slice(N_TRAINING, 2 * N_TRAINING)
    )
    encoder, seconds = timed(make_encoder(options.jobs).fit, X)
    print(f"{encoder.n_codes_} codes of patches learned in {seconds:.1f} s", flush=True)
    patches = patches_of(X_test[:100], encoder.contrast_)
    record = {"shape": [len(y), X[0].size], "n_codes": encoder.n_codes_}
    record |= {"n_test": len(y_test), "learning": seconds, "curve": []}
    for level in [None, *options.levels]:
        encoder.coder_.set_params(n_nonzero_coefs=level)
        active = encoder.coder_.transform(patches).nnz / len(patches)
        codes, encoding = timed(encoder.transform, X)
        test_codes, more = timed(encoder.transform, X_test)
        row = {"most": level, "active": active, "encoding": encoding + more}
        row["zeros"] = float(np.mean(codes == 0.0))
        others = encoder.transform(X_other) if level is None else None
        for name in CLASSIFIERS:
            classifier, accuracy, fitting = score(name, codes, y, test_codes, y_test)
            row[name] = {"accuracy": accuracy, "seconds": fitting}
            if others is not None:
                row[name]["other"] = float(classifier.score(others, y_other))
                print(f"{row[name]['other']:.4f} of the next images", flush=True)
            print(
                f"{active:6.1f} active: {name} {accuracy:.4f}; codes {encoding:.1f} + "
                f"{more:.1f} s, classifier {fitting:.1f} s",
                flush=True,
            )
        record["curve"].append(row)
        measure.save(options, "patches", VERSIONS, {"MNIST": record})


if __name__ == "__main__":
    main()
