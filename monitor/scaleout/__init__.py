"""Many snapshots worked through at once, and handed back in their order: here, or in processes.

Imports assess and below; Dask only where it is asked for. A unit is measured first
(`measure_snapshot`, a pure function of one snapshot and the rules), in any order and as far ahead
as there is room; then it is judged (`judge_night`, as pure, by the past it is given), when the
nights before it in its stream are stored. Both are done by the workers: streams are judged beside
one another and beside what is measured ahead, each night where it was measured. What is left to the
one process that writes is to read the past and to store what was found, a tenth of the whole.
Results depend neither on the engine nor on the number of workers.

*Refused:* a queue of units in the database, which is a scheduler of our own; warm starts from last
night's fit, which cannot be done out of order; workers that write, whose nights would be judged
before the ones they look back on are there; one worker a stream, which two streams of unlike cost
leave idle, and whose death would cost a stream.
"""

from monitor.scaleout.spread import assessed as assessed
from monitor.scaleout.units import ENGINES as ENGINES
from monitor.scaleout.units import Lookback as Lookback
from monitor.scaleout.units import Unit as Unit
from monitor.scaleout.units import WorkerLost as WorkerLost
