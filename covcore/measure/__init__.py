"""What runs in the measured process.

Nothing in here imports what a bare run would not have, save inside `quiet.quiet` or once the program has ended.
"""
