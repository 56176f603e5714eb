"""The weekly question: which model deserves to be used, by its record rather than by its night?

Comparison of rivals through time, held-out strikes and expiries with real refits, and the review
that a validator signs. Imports the questions and what lies below; frames and statistical
libraries live here, loaded when asked for. It decides nothing: verdicts are the nights'.
*Refused:* a score that weighs fit, stability and parsimony into one number.
"""
