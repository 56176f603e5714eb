"""Realised variance from the forwards of stored chains, where an archive has no candles.

A few observations a day, so that every number comes with its error; the tests of jumps have their
size at these counts and little power. It is another metric than realised variance from candles and
never stands in for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from monitor.errors import DomainError
from monitor.numerics.realised import jumps_among, realised

if TYPE_CHECKING:
    import pandas as pd

_DAYS = 365.0
_LEAST_TENOR = 2.0 / 365.0  # nearer expiries' forwards go to the delivery average
_LEARNT = 40  # returns that a jump is told from
COLUMNS = tuple(
    "venue underlying cadence period returns days variance stderr bipower jump_share jump_z "
    "jumps".split()
)


def forward_returns(forwards: pd.DataFrame) -> pd.DataFrame:
    """Return log moves between successive chains of one stream: ``as_of, move, years``.

    The median over the expiries that both chains have, of two days and more.
    """
    import pandas as pd

    wide = forwards[forwards["tau"] >= _LEAST_TENOR].pivot_table(
        index="as_of", columns="expiry", values="forward", aggfunc="last"
    )
    moves = wide.apply(np.log).diff().median(axis=1)
    years = wide.index.to_series().diff().dt.total_seconds() / (_DAYS * 86_400.0)
    return pd.DataFrame({"as_of": wide.index, "move": moves, "years": years}).dropna()


def forward_variance(forwards: pd.DataFrame, *, by: str = "month") -> pd.DataFrame:
    """Return realised and bipower variance of each stream and period, from forwards alone.

    Moves are scaled to the usual time between chains, so that a gap does not count as a jump.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`: variances a year with the standard error of the first; ``jump_z`` the
        ratio statistic of the period; ``jumps`` the times of single moves beyond 1 % of the whole
        record, by Lee and Mykland's test.
    """
    import pandas as pd

    rows = []
    for stream, group in forwards.groupby(["venue", "underlying", "cadence"]):
        moves = forward_returns(group)
        if moves.empty:
            continue
        usual = float(moves["years"].median())
        scaled = (moves["move"] * np.sqrt(usual / moves["years"])).to_numpy()
        jump = jumps_among(scaled, window=_LEARNT)
        months = moves["as_of"].dt.strftime("%Y-%m") if by == "month" else "all"
        period = pd.Series(months, index=moves.index)
        for name in dict.fromkeys(period):
            here = (period == name).to_numpy()
            try:
                found = realised(scaled[here])
            except DomainError:
                continue
            span = found.n * usual
            rows.append(
                {
                    **dict(zip(("venue", "underlying", "cadence"), stream, strict=True)),
                    "period": name,
                    "returns": found.n,
                    "days": span * _DAYS,
                    "variance": found.variance / span,
                    "stderr": found.variance_error / span,
                    "bipower": found.bipower / span,
                    "jump_share": found.jump_share,
                    "jump_z": found.jump_z,
                    "jumps": ", ".join(
                        f"{t:%Y-%m-%d %H:%M} ({m:+.1%})"
                        for t, m, j in zip(moves["as_of"], moves["move"], here & jump, strict=True)
                        if j
                    ),
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))
