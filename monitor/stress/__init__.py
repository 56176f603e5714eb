"""Sudden moves of spot and vol, and what options are worth by each model after them.

Imports calibration and what lies below; it knows options, not books. *Refused:* shocking the
market's quotes and refitting, in which every model agrees by construction: the question is how far
models that fit tonight disagree where there is no quote.
"""
