"""Nothing but chance: what every other criterion has to beat."""

__all__ = ["random_elements", "random_features", "random_units"]


def random_elements(blocks, data):
    """Uniform draws from [0, 1), one a weight."""
    rng = data.generator()
    return [rng.random(block.weights.shape) for block in blocks]


def random_units(blocks, data):
    """Uniform draws from [0, 1), one a hidden unit."""
    rng = data.generator()
    return [rng.random(block.matrix().shape[1]) for block in blocks[:-1]]


def random_features(blocks, data):
    """Uniform draws from [0, 1), one a feature."""
    return [data.generator().random(len(blocks[0].matrix()))]
