"""What measuring costs, beside bare Python, coverage.py and SlipCover: see docs/benchmarks.md."""
