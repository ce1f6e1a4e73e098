"""What a report's reader should look at first: rules over the numbers, each with its evidence and a next step.

A rule looks for one kind of trouble and stays silent below its threshold, so that a healthy target has no findings.
Rules of a kind share a module with a tuple `RULES`; `registry` names these modules.
"""
