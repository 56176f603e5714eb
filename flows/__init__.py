"""The schedules and their engine: Prefect around plain functions of `monitor.jobs`.

Imports config, jobs and below, and prefect. A flow chooses what is run in what order and what its
end is called; it holds no arithmetic and fits on a page. Tasks are coarse, one for each venue and
underlying: the engine's own cost is then a rounding error. *Refused:* retries here, for the venue
asks again in its own layer; results in the engine's store, for ours is the memory.
"""
