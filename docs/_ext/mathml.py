"""Formulas as MathML, which browsers draw by themselves: no script, no network.

The conversion from LaTeX is docutils' own, with a few mends.
"""

import xml.etree.ElementTree as ET

from docutils.nodes import SkipNode
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.errors import ExtensionError

__all__ = ["setup"]

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
BARS = {"|", "‖", "∥"}
ACCENTS = {"ˉ", "¯", "~", "ˆ", "^", "˙"}


def _tag(name):
    return f"{{{NAMESPACE}}}{name}"


def _converted(node, *block):
    try:
        # The one entity that is HTML's and not XML's.
        text = tex2mathml(node.astext(), *block).replace("&ApplyFunction;", "\u2061")
        root = ET.fromstring(text)
    except (MathError, ET.ParseError) as error:
        raise ExtensionError(f"{error} in the formula {node.astext()!r}") from error
    for element in list(root.iter()):
        text = (element.text or "").strip()
        if element.tag == _tag("mo") and text in BARS:
            # A fence, and neither an operator with spaces nor as high as the row.
            element.attrib |= {"stretchy": "false", "lspace": "0", "rspace": "0"}
        elif element.tag == _tag("munderover") and element[2].text in ACCENTS:
            _put_index_right(element)
        elif "align" in element.get("class", ""):
            element.set("displaystyle", "true")
    return ET.tostring(root, encoding="unicode")


def _put_index_right(element):
    """Make a subscript of the index that was set below an accented letter."""
    letter, index, accent = element
    accented = ET.Element(_tag("mover"), {"accent": "true"})
    accented.extend([letter, accent])
    element.tag = _tag("msub")
    element[:] = [accented, index]


def _visit_inline(writer, node):
    writer.body.append(_converted(node))
    raise SkipNode


def _visit_block(writer, node):
    writer.body.append(writer.starttag(node, "div", CLASS="math"))
    writer.body.append(_converted(node, True))
    writer.body.append("</div>")
    raise SkipNode


def setup(app):
    """Register the renderer "mathml"; conf.py chooses it."""
    ET.register_namespace("", NAMESPACE)
    app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
