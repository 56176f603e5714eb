"""What each cause means, what to look at, and what usually helps: the lines below every alarm."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.incidents.base import EVERYWHERE, Incident
from monitor.verdict.base import Cause


@dataclass(frozen=True, slots=True)
class Page:
    """The page of one cause; braces are filled with the incident's."""

    means: str
    look: str
    helps: str


_HISTORY = (
    "misspec history --underlying {underlying} --model {model} --metric {metric} --plot terminal"
)
RUNBOOK: dict[Cause, Page] = {
    Cause.MISSPECIFICATION: Page(
        "the model no longer describes this market: its error left its own past, or its tolerance, "
        "by more than the quotes leave open",
        "misspec surface --underlying {underlying} --model {model}, then " + _HISTORY,
        "if the market changed for good, misspec judge rebase; if the model is wrong for its use, "
        "misspec judge restrict, and mark or hedge by a model that is adequate on the board",
    ),
    Cause.CALIBRATION: Page(
        "the fit did not come to an end, sits at a bound, or leaves a direction open: its "
        "parameters mean less than they seem to, its prices may still be good",
        _HISTORY,
        "wait for a second night; hedge ratios and parameters that are reported on should not be "
        "read meanwhile. At the same bound for weeks: widen the bound or take the simpler model",
    ),
    Cause.DATA: Page(
        "the chain cannot be judged by: the feed is broken, stale, crossed or half. No model is "
        "called wrong on such a night, and none is called right",
        "misspec doctor, then the venue's status page",
        "misspec nightly once the feed is back: the slot is answered again. One bad instrument: "
        "misspec judge exclude",
    ),
    Cause.LIQUIDITY: Page(
        "the quotes are there and hardly any can be used: wide, one-sided or none",
        "misspec history --underlying {underlying} --metric rejected_share --scope all",
        "nothing at the desk: holidays and crashes pass. If it stays, widen cleaning.max_width_iv",
    ),
    Cause.MARKET: Page(
        "the market moved, and the models that follow it moved with it",
        "misspec history --underlying {underlying} --metric atm_iv --plot terminal",
        "nothing: this is for the record",
    ),
    Cause.JOB: Page(
        "a job did not run, ran late or could not be delivered: what the board says is old",
        "misspec watchdog, then the scheduler's log and misspec doctor",
        "start the scheduler (misspec serve), or run misspec nightly by hand",
    ),
}
# What is wrong with a job that does not judge chains.
JOBS: dict[str, Page] = {
    "job:delivery": Page(
        "messages do not reach a receiver: what this desk is told is not all there is",
        "misspec alerts outbox, then misspec alerts test",
        "mend the mail server or the hook, or correct alerts in the configuration; then misspec "
        "alerts outbox --revive KEY sends again what was given up",
    ),
    "job:receipt": Page(
        "nobody has said to have read the weekly test message: the next page may go unread, too",
        "the inboxes of alerts.routes, and the latest message that begins with [TEST]",
        "misspec alerts receipt CODE, with the code that stands in it; receivers that nobody reads "
        "belong out of the configuration",
    ),
}


def page_of(incident: Incident) -> Page:
    """Return the page of an incident's cause, with its own commands."""
    page = JOBS.get(incident.scope, RUNBOOK[incident.cause])
    look = page.look
    if incident.model is None:
        look = look.replace(" --model {model}", "")
    underlying = incident.underlying
    if underlying == EVERYWHERE:
        look = look.replace(" --underlying {underlying}", "")
    metric = incident.metric
    if incident.scope.startswith("headline:"):
        metric = incident.scope.removeprefix("headline:")
    look = look.format(underlying=underlying, model=incident.model, metric=metric)
    return Page(page.means, look, page.helps)
