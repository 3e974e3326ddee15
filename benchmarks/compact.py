"""What pipelines take on disk and to predict, before and after `compact`.

    python benchmarks/compact.py [--small] [--repeats N]

Documents of words drawn by Zipf's law, most of ASCII letters, or ("letters") with
Cyrillic ones in every fifth word. The class is whether a sum over 1000 terms exceeds
its median; a linear model of 100000 terms is pruned to 200. A table of 40 numbers and
15 columns of categories, one of them with thousands, pruned to 40 coefficients. Whole
and compact pipelines predict the same rows in turns; processor time of this process is
taken. `unequal` is the largest difference of an output, over the largest output.
"""

import pickle
import statistics
import time

import measure
import numpy as np
import pandas as pd
from sklearn import __version__ as version
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder, StandardScaler

from sparselearn import __version__ as own_version
from sparselearn.pruning import compact, prune

N_TERMS, N_WORDS, N_KEPT = 100000, 120, 200


def lexicon(rng, n, letters):
    """Different words of three to ten letters."""
    found = set()
    while len(found) < n:
        lengths = rng.integers(3, 11, size=n)
        drawn = rng.choice(letters, size=(n, 10))
        found.update("".join(row[:k]) for row, k in zip(drawn, lengths))
    words = np.array(sorted(found))
    return rng.permutation(words)[:n]


def documents(rng, words, n):
    """Documents of so many words, and which of two classes each is of."""
    frequency = 1.0 / np.arange(1, words.size + 1)
    frequency /= frequency.sum()
    drawn = rng.choice(words.size, size=(n, N_WORDS), p=frequency)
    weights = np.zeros(words.size)
    weights[rng.choice(5000, 1000, replace=False)] = rng.choice([-1.0, 1.0], 1000)
    scores = weights[drawn].sum(axis=1)
    target = scores > np.median(scores)
    return [" ".join(row) for row in words[drawn]], target


def text_pipelines(rng, shrink):
    """By name: a pruned pipeline, and documents that it has not seen."""
    letters = list("etaoinshrdlucmfwypvbgkjqxz")
    vectorizers = {
        "counts": CountVectorizer(max_features=N_TERMS // shrink),
        "tf-idf": TfidfVectorizer(norm=None, max_features=N_TERMS // shrink),
        "tf-idf, norm l2": TfidfVectorizer(max_features=N_TERMS // shrink),
        "tf-idf, pairs": TfidfVectorizer(
            norm=None, max_features=N_TERMS // shrink, ngram_range=(1, 2)
        ),
        "tf-idf, letters": TfidfVectorizer(norm=None, max_features=N_TERMS // shrink),
    }
    for name, vectorizer in vectorizers.items():
        own = [*letters, "ж"] if name.endswith("letters") else letters
        words = lexicon(rng, 130000 // shrink, own)
        texts, target = documents(rng, words, 16000 // shrink)
        n = len(texts) * 7 // 8
        model = make_pipeline(
            vectorizer, MaxAbsScaler(), SGDClassifier("log_loss", random_state=0)
        ).fit(texts[:n], target[:n])
        part = texts[: n // 4], target[: n // 4]
        yield name, prune(model, *part, n_nonzero_coefs=N_KEPT), texts[n:]


def table_pipeline(rng, shrink):
    n = 20000 // shrink
    frame = pd.DataFrame(rng.normal(size=(n, 40))).add_prefix("number")
    frame = frame.mask(rng.random(frame.shape) < 0.05)
    for j, size in enumerate([*[12] * 10, *[80] * 4, 5000 // shrink]):
        codes = np.minimum(rng.geometric(8.0 / size, size=n), size)
        frame[f"category{j}"] = [f"value {code}" for code in codes]
    weights = rng.normal(size=12)
    codes = frame["category3"].str.slice(6).astype(int)
    target = weights[codes - 1] + frame["number7"].fillna(0.0) > 0.0
    both = make_column_transformer(
        (
            make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()),
            make_column_selector("number"),
        ),
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector("category")),
    )
    model = make_pipeline(both, SGDClassifier("log_loss", random_state=0))
    model.fit(frame, target)
    pruned = prune(model, frame[: n // 4], target[: n // 4], n_nonzero_coefs=40)
    return pruned, frame[: n // 8]


def seconds(pipelines, rows, repeats):
    """Medians of the processor time of `predict`, in turns."""
    taken = [[] for _ in pipelines]
    for _ in range(repeats):
        for times, pipeline in zip(taken, pipelines):
            start = time.process_time()
            pipeline.predict(rows)
            times.append(time.process_time() - start)
    return [statistics.median(times) for times in taken]


def record(name, pruned, rows, repeats):
    start = time.process_time()
    smaller = compact(pruned)
    taken = time.process_time() - start
    wanted, found = (p.decision_function(rows) for p in (pruned, smaller))
    equal = np.array_equal(pruned.predict(rows), smaller.predict(rows))
    one = rows[:1]
    row = {
        "columns": [p[-1].coef_.size for p in (pruned, smaller)],
        "bytes": [len(pickle.dumps(p)) for p in (pruned, smaller)],
        "seconds": seconds((pruned, smaller), rows, repeats),
        "one": seconds((pruned, smaller), one, 10 * repeats),
        "rows": len(rows),
        "compact_seconds": taken,
        "unequal": float(np.abs(wanted - found).max() / np.abs(wanted).max()),
        "predictions_equal": bool(equal),
    }
    before, after = row["bytes"]
    slow, fast = row["seconds"]
    slow_one, fast_one = row["one"]
    print(
        f"{name:18s} {row['columns'][0]:7d} -> {row['columns'][1]:4d} columns   "
        f"{before / 1e3:8.1f} -> {after / 1e3:7.1f} kB ({before / after:5.1f}x)   "
        f"{slow * 1e6 / len(rows):6.1f} -> {fast * 1e6 / len(rows):5.1f} us a row "
        f"({slow / fast:4.1f}x)   one row {slow_one * 1e3:.2f} -> "
        f"{fast_one * 1e3:.2f} ms ({slow_one / fast_one:.1f}x)   "
        f"unequal {row['unequal']:.0e} {'' if equal else 'PREDICTIONS DIFFER'}",
        flush=True,
    )
    return row


def main():
    parser = measure.arguments(__doc__)
    parser.add_argument("--small", action="store_true", help="a tenth of the size")
    options = parser.parse_args()
    shrink = 10 if options.small else 1
    rng = np.random.default_rng(0)
    records = {}
    for name, pruned, texts in text_pipelines(rng, shrink):
        records[name] = record(name, pruned, texts, options.repeats)
    pruned, frame = table_pipeline(rng, shrink)
    records["table"] = record("table", pruned, frame, options.repeats)

    class Ours:
        version = own_version

    class Theirs:
        pass

    Theirs.version = version
    found = {"sparselearn": Ours, "scikit-learn": Theirs}
    measure.save(options, "compact pipelines", found, records)


if __name__ == "__main__":
    main()
