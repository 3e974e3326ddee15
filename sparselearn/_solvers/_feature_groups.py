"""Which features belong together: the ways of a user to say it, made one."""

from numbers import Integral

import numpy as np

from sparselearn import penalties

__all__ = ["find_groups", "make_partition"]


def find_groups(groups, n_features, names=None, *, of="X", kind="feature"):
    """The groups of features, as a list of index arrays that cover all features.

    Features in no group come last, each a group of its own.

    Parameters
    ----------
    groups : None, int, "auto", list of str, list of lists, or array of labels
        See :class:`~sparselearn.linear_model.GroupLasso`.
    n_features : int
    names : array of str, optional
        Of the features.
    of, kind : str
        Whose features they are, and what they are called, in errors.

    Raises
    ------
    ValueError
        That names the group and the feature.
    """
    if groups is None:
        found = []
    elif isinstance(groups, str):
        if groups != "auto":
            raise ValueError(
                f'groups={groups!r}: the one string allowed is "auto"; a list of '
                "strings gives prefixes of feature names."
            )
        found = _blocks_of_names(_required(names, 'groups="auto"'))
    elif isinstance(groups, Integral) and not isinstance(groups, bool):
        if groups < 1:
            raise ValueError(f"groups={groups}: a size of groups must be at least 1.")
        found = [
            np.arange(start, min(start + groups, n_features))
            for start in range(0, n_features, groups)
        ]
    elif _is_list_of(groups, str):
        found = _by_prefix(groups, _required(names, "groups by prefixes of names"))
    elif isinstance(groups, (list, tuple)) and any(np.ndim(g) > 0 for g in groups):
        found = [
            _indices(group, number, n_features, names, of, kind)
            for number, group in enumerate(groups)
        ]
        _refuse_overlaps(found, n_features, names, kind)
    else:
        found = _by_label(groups, n_features, kind)
    alone = np.ones(n_features, dtype=bool)
    for group in found:
        alone[group] = False
    return [*found, *np.flatnonzero(alone).reshape(-1, 1)]


def _is_list_of(groups, kind):
    listed = isinstance(groups, (list, tuple)) and len(groups) > 0
    return listed and all(isinstance(item, kind) for item in groups)


def _required(names, what):
    if names is None:
        raise ValueError(
            f"{what} needs feature names, and X has none: fit on a data frame (of a "
            'transformer with set_output(transform="pandas")), or give groups as lists '
            "of indices or an array of labels."
        )
    return [str(name) for name in names]


def _name_of(feature, names, kind):
    return f"{kind} {feature if names is None else repr(names[feature])}"


def _indices(group, number, n_features, names, of, kind):
    """The indices of one group, given by indices or by names."""
    if np.ndim(group) != 1 or len(group) == 0:
        raise ValueError(
            f"groups: group {number} must be a non-empty list of {kind}s; got "
            f"{group!r}."
        )
    if any(isinstance(feature, str) for feature in group):
        known = {
            name: k
            for k, name in enumerate(_required(names, f"groups: group {number}"))
        }
        missing = [feature for feature in group if feature not in known]
        if missing:
            raise ValueError(
                f"groups: group {number} has {missing[0]!r}, which is no feature of X."
            )
        return np.array([known[feature] for feature in group])
    indices = np.asarray(group)
    if indices.dtype.kind not in "iu":
        raise ValueError(
            f"groups: group {number} must hold indices or names; got {group!r}."
        )
    outside = (indices < 0) | (indices >= n_features)
    if outside.any():
        raise ValueError(
            f"groups: group {number} has {kind} {indices[outside][0]}; {of} "
            f"has {n_features} {kind}s, from 0 on."
        )
    return indices.astype(np.int64)


def _refuse_overlaps(found, n_features, names, kind):
    owner = np.full(n_features, -1)
    for number, group in enumerate(found):
        for feature in group:
            if owner[feature] >= 0:
                twice = owner[feature] == number
                where = (
                    f"twice in group {number}"
                    if twice
                    else f"in group {owner[feature]} and in group {number}"
                )
                name = _name_of(feature, names, kind)
                raise ValueError(f"groups: {name} is {where}; groups must not overlap.")
            owner[feature] = number


def _by_prefix(prefixes, names):
    """A group for each prefix; of several that fit a name the longest has it."""
    found = [[] for _ in prefixes]
    for feature, name in enumerate(names):
        fits = [k for k, prefix in enumerate(prefixes) if name.startswith(prefix)]
        if fits:
            found[max(fits, key=lambda k: len(prefixes[k]))].append(feature)
    for number, group in enumerate(found):
        if not group:
            raise ValueError(
                f"groups: no feature is left for group {number}, the prefix "
                f"{prefixes[number]!r}."
            )
    return [np.array(group) for group in found]


def _by_label(labels, n_features, kind):
    labels = np.asarray(labels)
    if labels.shape != (n_features,):
        raise ValueError(
            f"groups has shape {labels.shape}; an array of labels must have one for "
            f"each {kind}, shape ({n_features},)."
        )
    _, which = np.unique(labels, return_inverse=True)
    return [np.flatnonzero(which == k) for k in range(which.max() + 1)]


def _blocks_of_names(names):
    """The blocks that an encoder has made, told from the names of its columns.

    A transformer's columns are those next to one another with the same part before
    "__". Among them a stem, which is what precedes the last "_" of two neighbours'
    names, makes a block of all neighbours whose names begin with it and "_"; of stems
    that begin with one another the shortest does. What a ColumnTransformer has passed
    through ("remainder__") and all other columns stay alone.
    """
    parts = [name.rpartition("__") for name in names]
    homes, names = [p[0] for p in parts], [p[2] for p in parts]
    stems = [name.rpartition("_")[0] for name in names]
    made = [home != "remainder" for home in homes]

    def shared(k):
        """Whether columns k and k + 1 have one stem."""
        return stems[k] and stems[k] == stems[k + 1] and homes[k] == homes[k + 1]

    candidates = {
        (homes[k], stems[k]) for k in range(len(names) - 1) if made[k] and shared(k)
    }
    found, k = [], 0
    while k < len(names):
        fitting = [
            stem
            for home, stem in candidates
            if home == homes[k] and names[k].startswith(stem + "_")
        ]
        stop = k + 1
        if fitting:
            beginning = min(fitting, key=len) + "_"
            while (
                stop < len(names)
                and homes[stop] == homes[k]
                and names[stop].startswith(beginning)
            ):
                stop += 1
        found.append(np.arange(k, stop))
        k = stop
    return found


def make_partition(groups):
    """The `penalties.Groups` of a list of index arrays."""
    sizes = [len(group) for group in groups]
    return penalties.Groups(np.concatenate(groups), np.cumsum([0, *sizes]))
