"""Arrays in, arrays out: option prices in the two dimensionless coordinates.

Everything here knows k = ln(K/F), w = sigma^2 tau and c = C / (D F), and nothing else: no spot, no
strike, no rate, no currency. Imports numerics and the ground floor. *Refused:* one function a
product with six market arguments, in which a forgotten discount factor is invisible.
"""
