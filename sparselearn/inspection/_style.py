"""Colours that the colour-blind tell apart, and markers that need no colour."""

# Okabe and Ito (2008), without the yellow that a projector loses.
PALETTE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#E69F00",
    "#000000",
)
MARKERS = "osD^vPX"
FAINT = "#B8BCC2"
MUTED = "#5F6670"


def axes(ax=None, *, figsize=None):
    """`ax`, or that of a new figure."""
    import matplotlib.pyplot as plt

    if ax is not None:
        return ax
    return plt.subplots(figsize=figsize, layout="constrained")[1]


def cut(name, n_letters):
    """`name`, or its beginning if it is longer."""
    return name if len(name) <= n_letters else f"{name[: n_letters - 1]}…"


def tidy(ax):
    """Leave of the frame what is read: two spines and a faint grid behind."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(color="#E6E8EB", linewidth=0.8)
    ax.set_axisbelow(True)
