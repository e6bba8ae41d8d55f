"""How good a model is, for the routing alone: what was measured, else what its name says.

Measured is LiveBench (https://livebench.ai; answers are scored without a judge): the mean of its
categories' means, in the release of 2025-04-25, the last that has both models which the tiers are
named after. 3 is as good as gpt-4.1 there (63.0), which the product's first example of a routing
has for hard tasks (as gpt-4); 2 as good as gpt-4o (53.9), the strongest that most had in 2024; 1
is below. For newer models these two were carried over to the releases of 2025-05-30 (56.4, 47.9),
2025-11-25 (47.5, 38.4) and 2026-01-08 (41.8, 32.0) by lines through the models that releases share
(9, 46 and 46 of them, correlation 0.95); there a model has to be two points above. It is taken as
it is called here: with as much reasoning as it does where nobody asks for any.

A model of a vendor's small line is 2 at most, however good it is: where it stands in a list beside
one that its vendor calls the strongest, that is who gets the hard tasks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentflow_dagster.models.settings import Quality

_UNKNOWN: Quality = 2
_MEASURED: tuple[tuple[str, Quality], ...] = (
    # Small lines that reach gpt-4o: 59.1 of gpt-4.1-mini, 60.4 (2025-05-30) of claude-haiku-4-5.
    (r"gpt-4\.1-mini|gpt-5(?:\.4)?-mini|gpt-5-nano|gpt-5\.1-codex-mini|\bo[34]-mini", 2),
    (r"claude-haiku-4[-.]5|gemini-(?:2\.[05]|3|3\.5)-flash(?!-lite)|deepseek-v4-flash", 2),
    # Larger ones between the two: 53.9 of gpt-4o itself, 57.9 of claude-3-5-sonnet.
    (r"gpt-4o(?!-mini)|claude-3[-.]5-sonnet|grok-code-fast", 2),
    # Below gpt-4o, whatever their names say: 44.1 (2025-05-30) of command-a, 50.3 of
    # mistral-large-2411, 53.0 (2024-06-24, gpt-4o of then 55.0) of gpt-4-turbo.
    (r"gpt-3\.5|gpt-4(?![.\w])|claude-3-(?:opus|sonnet)|command-(?:a-03|r)|mistral-large-24", 1),
    (r"llama-?3(?:\.\d)?[-:]70b|gemma-?[23]|nova-(?:pro|lite|micro)|qwen-?2\.5-72b", 1),
    (r"grok-4(?:-1)?-fast-non-reasoning", 1),
    # As good as gpt-4.1, though their names do not say so: 66.6 (2025-05-30) of deepseek-chat.
    (r"deepseek-(?:chat|reasoner|r1(?!-distill)|v3[.p][12]|v4-pro)|kimi-k2|minimax-m[23]", 3),
    (r"qwen3-(?:235b|max)|qwen3\.[67]-(?:plus|max)|glm-(?:4\.[67]|5)\b(?!-flash|-air)", 3),
)
"""By what is in a model's name, the first that matches."""
_NAMED: tuple[tuple[str, Quality], ...] = (
    (
        r"nano|(?<!ge)mini|haiku|flash|luna|lite|small|tiny|r7b|ministral|\b[1-9]b\b|instant|extractive",
        1,
    ),
    (r"opus|sonnet|fable|mythos|gpt-4\.[1-9]|gpt-[5-9]|\bo[134]\b|pro\b|large|grok", 3),
)
"""What names say of models that nobody has measured: coarse, and low rather than high."""


def quality_of(model: str) -> Quality:
    """How good a model is, by its name without the provider: 1, 2 or 3."""
    for pattern, quality in (*_MEASURED, *_NAMED):
        if re.search(pattern, model, re.IGNORECASE):
            return quality
    return _UNKNOWN
