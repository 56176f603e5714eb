"""Many snapshots measured at once, handed back in their order: in this process, or in others.

Imports assess and below; Dask only where it is asked for. The unit of work is `measure_snapshot`,
a pure function of one snapshot and the rules: results depend neither on the engine nor on the
number of workers. What looks back (`judge_night`) stays with the one process that writes. By CPU
time it is near half of a pass over months of recorded chains: two workers keep that process busy,
and more are of use only where units wait for other machines. Streams do not look at one another:
a backfill of each underlying may run beside the others into one database.

*Refused:* a queue of units in the database, which is a scheduler of our own; warm starts from last
night's fit, which cannot be done out of order; workers that write, whose nights would be judged
before the ones they look back on are there.
"""

from monitor.scaleout.units import ENGINES as ENGINES
from monitor.scaleout.units import Unit as Unit
from monitor.scaleout.units import WorkerLost as WorkerLost
from monitor.scaleout.units import measured as measured
