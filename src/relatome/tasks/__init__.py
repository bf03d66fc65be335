"""One file, one task, no torch: examples from documents, what the encoder reads, and answers from logits."""

from __future__ import annotations

from types import ModuleType

from relatome.tasks import classification, ner, pretraining, relation

TASKS: dict[str, ModuleType] = {"ner": ner, "relation": relation, "classification": classification}

LEARNED: dict[str, ModuleType] = {**TASKS, "pretraining": pretraining}
"""What a head can be taught; pre-training answers nothing afterwards."""
