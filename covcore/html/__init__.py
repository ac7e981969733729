"""The report for browsers.

    results ──> pages    one for each file: source, branches, conditions; what its script needs
                 ├ highlight  the colours of the source, by Pygments (lexer), and where conditions stand in it
                 ├ ways       what it means that a branch was never taken
                 └ records    which tests ran what, in few bytes
            ──> index    one for all: figures by folder, file, function and class
            ──> site     the folder that they go to, or `single`: one file

Pages are readable without scripts.  With them, static/*.js follows the reader's choice of tests, by the records.
"""
