"""From what was measured to what a report says, one source file at a time.

    source.read ──> file.analyse ──> FileResult ──> figures
                     ├ outline     the text: logical lines, decisions, functions and classes
                     ├ exclusions  which lines the user does not want counted
                     ├ codes       what ran (from the database) and what did not (compiled here)
                     ├ branches    sites and flow turned into (from line, to line)
                     └ conditions  sites joined to the operands of the text (operands), and MC/DC (mcdc)

Each file is analysed by a pure function of its text, its code objects and the rules, so that files are spread
over cores (workers) and results kept by hash (cache).
"""
