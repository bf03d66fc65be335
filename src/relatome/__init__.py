"""Relatome reads the biomedical literature: entities, typed relations and adverse effects, each with its evidence."""
