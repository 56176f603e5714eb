"""What the desk is told, once: grouping, life cycle, messages.

Pure functions from the open incidents and tonight's verdicts to transitions. Imports verdict and
below. *Refused:* alerting from metrics directly, which tells one trouble many times.
"""
