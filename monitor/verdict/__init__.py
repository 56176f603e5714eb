"""From numbers to a judgement: limits, the ordered argument, triage.

Data fit to judge? Optimiser done? Identified? Moved beyond its error? Misfit beyond tolerance,
beyond noise, persistent? Misspecification is what remains. Imports diagnostics and below.
*Refused:* a weighted score, which no one can argue with.
"""
