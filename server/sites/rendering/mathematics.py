"""Mathematics: LaTeX becomes MathML, which browsers set; what cannot be read is shown as it is."""

from __future__ import annotations

import html
from typing import Any

_TEXT_MAX = 5000


def to_mathml(source: str, options: dict[str, Any]) -> str:
    """MathML of LaTeX, with its source for those who copy it."""
    display = bool(options.get("display_mode"))
    shown = html.escape(source.strip())
    if len(source) > _TEXT_MAX:
        return f'<code class="math-error">{shown}</code>'
    # Slow to import, and few notes have a formula.
    from latex2mathml.converter import convert  # noqa: PLC0415

    try:
        made = convert(source.strip(), display="block" if display else "inline")
    except Exception:  # noqa: BLE001 (the library has no error of its own: any means unreadable)
        return f'<code class="math-error">{shown}</code>'
    return str(made).replace("<math ", f'<math alttext="{shown}" ', 1)
