"""A sudoku solver: candidates as sets, the cell with the fewest first, and back where it leads nowhere."""

from __future__ import annotations

PUZZLES = [
    "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79",
    "4.....8.5.3..........7......2.....6.....8.4......1.......6.3.7.5..2.....1.4......",
    "..............3.85..1.2.......5.7.....4...1...9.......5......73..2.1........4...9",
]
SIZE = 9
CELLS = [(row, column) for row in range(SIZE) for column in range(SIZE)]


class Grid:
    def __init__(self, text: str) -> None:
        self.values: dict[tuple[int, int], int] = {}
        self.rows = [set(range(1, SIZE + 1)) for _ in range(SIZE)]
        self.columns = [set(range(1, SIZE + 1)) for _ in range(SIZE)]
        self.boxes = [set(range(1, SIZE + 1)) for _ in range(SIZE)]
        for cell, character in zip(CELLS, text, strict=True):
            if character != ".":
                self.put(cell, int(character))

    def put(self, cell: tuple[int, int], value: int) -> None:
        row, column = cell
        self.values[cell] = value
        self.rows[row].remove(value)
        self.columns[column].remove(value)
        self.boxes[row // 3 * 3 + column // 3].remove(value)

    def take_back(self, cell: tuple[int, int]) -> None:
        row, column = cell
        value = self.values.pop(cell)
        self.rows[row].add(value)
        self.columns[column].add(value)
        self.boxes[row // 3 * 3 + column // 3].add(value)

    def candidates(self, cell: tuple[int, int]) -> set[int]:
        row, column = cell
        return self.rows[row] & self.columns[column] & self.boxes[row // 3 * 3 + column // 3]

    def most_constrained(self) -> tuple[tuple[int, int] | None, set[int]]:
        best: tuple[int, int] | None = None
        fewest: set[int] = set()
        for cell in CELLS:
            if cell in self.values:
                continue
            found = self.candidates(cell)
            if best is None or len(found) < len(fewest):
                best, fewest = cell, found
                if len(found) < 2:
                    break
        return best, fewest


def solve(grid: Grid, most: int) -> int:
    """Count the steps to a solution, and give up after as many as `most`."""
    cell, candidates = grid.most_constrained()
    if cell is None:
        return 0
    steps = 1
    for value in sorted(candidates):
        grid.put(cell, value)
        steps += solve(grid, most - steps)
        if len(grid.values) == SIZE * SIZE or steps >= most:
            return steps
        grid.take_back(cell)
    return steps


def solve_all(loops: int) -> None:
    for _ in range(loops):
        for puzzle in PUZZLES:
            solve(Grid(puzzle), 600)
