"""misspec: says every night whether option models still describe the market.

Imports run one way only; `tests/architecture` holds the table. From the ways in to the ground:
cli; flows, dashboard, report, proving; rehearsal; backfill; jobs, replay; pipeline, health; config;
venues, sandbox, store, channels; archive; recollect, scaleout; assess; assessment; incidents;
verdict; diagnostics; replication, stress; calibration; market, models; pricing; numerics;
conventions; registry, outcome, arrays; errors.
"""

__version__ = "0.1.0"
