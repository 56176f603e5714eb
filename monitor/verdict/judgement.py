"""What an expert said, on record: it changes how a night is judged, in the open and for a time.

Pure values. Who said it, why, and until when stand with it; what it would have been without can
always be asked, for the numbers are stored as they were measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class JudgementKind(StrEnum):
    """What an expert can say."""

    TOLERANCE = "tolerance"  # a model may be so wrong for a while
    RESTRICT = "restrict"  # a model is not to be used for something
    PRIOR = "prior"  # where a parameter is believed to lie: a second fit is drawn there
    EXCLUDE = "exclude"  # an instrument is left out
    ANNOTATE = "annotate"  # a word about a night
    REBASE = "rebase"  # what was before is no reference any more


LEVELS = ("rmse_iv", "inside_share")  # the levels of the inventory that may be widened


@dataclass(frozen=True, slots=True)
class Judgement:
    """One expert judgement.

    Attributes
    ----------
    id : str
    kind : JudgementKind
    subject : str
        Tolerance: which level of `LEVELS`. Restrict: the use. Prior: the parameter. Exclude: an
        instrument or a pattern. Annotate: the word. Rebase: a headline, or empty for all.
    since_ms, until_ms : int
        The venue's time: it is in force for chains from the first to before the second.
    author, reason : str
    venue, underlying, model : str or None
        Where it holds; None: everywhere, for every model.
    value, spread : float or None
        Tolerance: the new limit. Prior: mean and standard deviation.
    incident : str or None
        The incident it is about.
    """

    id: str
    kind: JudgementKind
    subject: str
    since_ms: int
    until_ms: int
    author: str
    reason: str
    venue: str | None = None
    underlying: str | None = None
    model: str | None = None
    value: float | None = None
    spread: float | None = None
    incident: str | None = None

    def holds(self, venue: str, underlying: str, as_of_ms: int) -> bool:
        """Return whether it is in force for a chain."""
        return (
            self.venue in (None, venue)
            and self.underlying in (None, underlying)
            and self.since_ms <= as_of_ms < self.until_ms
        )

    @property
    def effect(self) -> tuple[object, ...]:
        """What it changes: judgements of equal effect give equal nights, whoever made them."""
        since = self.since_ms if self.kind is JudgementKind.REBASE else None
        return (self.kind, self.model, self.subject, self.value, self.spread, since)
