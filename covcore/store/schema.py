"""The tables of the database: docs/database.md says what they mean.

Reading compares a file's schema with this text byte for byte, so any change of it is another VERSION.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _sqlite3 import Connection

APPLICATION_ID = 0x43565243  # "CVRC"
VERSION = 3

TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE run (id INTEGER PRIMARY KEY, run_id TEXT NOT NULL, started INTEGER NOT NULL)",
    """\
CREATE TABLE setting (
    run INTEGER NOT NULL REFERENCES run, position INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (run, position)
) WITHOUT ROWID""",
    """\
CREATE TABLE process (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run,
    boot_id TEXT NOT NULL, pid INTEGER NOT NULL, start_ticks INTEGER NOT NULL, started INTEGER NOT NULL,
    tag TEXT NOT NULL, optimize INTEGER NOT NULL, outcome TEXT NOT NULL, problem TEXT NOT NULL
)""",
    "CREATE TABLE file (id INTEGER PRIMARY KEY, path NOT NULL, hash BLOB NOT NULL, recorded INTEGER NOT NULL)",
    """\
CREATE TABLE code (
    id INTEGER PRIMARY KEY, file INTEGER NOT NULL REFERENCES file,
    first_line INTEGER NOT NULL, qualname TEXT NOT NULL, tag TEXT NOT NULL,
    optimize INTEGER NOT NULL, flags INTEGER NOT NULL,
    shape BLOB NOT NULL, lines TEXT NOT NULL, sites TEXT NOT NULL
)""",
    "CREATE TABLE context (id INTEGER PRIMARY KEY, static TEXT NOT NULL, test TEXT NOT NULL, phase TEXT NOT NULL)",
    """\
CREATE TABLE pattern (
    id INTEGER PRIMARY KEY, code INTEGER NOT NULL REFERENCES code, bits BLOB NOT NULL, contexts TEXT NOT NULL
)""",
)

INDEXES = (
    "CREATE INDEX code_of_file ON code (file)",
    "CREATE INDEX pattern_of_code ON pattern (code)",
)


def _bit(slot: str) -> str:
    """SQL for bit `slot` of pattern.bits: each digit of hex() is four slots."""
    return f"instr('123456789ABCDEF', substr(hex(pattern.bits), {slot} / 4 + 1, 1)) >> (3 - {slot} % 4) & 1"


def _field(index: str) -> str:
    return f"json_extract(site.value, '$[{index}]')"


_ARMS = "(SELECT 0 AS side UNION ALL SELECT 1)"
_ARM_SLOT = "(json_array_length(code.lines) + 2 * site.key + arm.side)"
_ARM_COLUMNS = f"""\
    {_field("6")} AS line, {_field("7")} AS end_line, {_field("8")} AS col, {_field("9")} AS end_col,
    CASE {_field("5")} * 2 + arm.side
        WHEN 0 THEN 'true' WHEN 1 THEN 'false'
        WHEN 2 THEN 'false' WHEN 3 THEN 'true'
        WHEN 4 THEN 'not None' WHEN 5 THEN 'None'
        WHEN 6 THEN 'None' WHEN 7 THEN 'not None'
        WHEN 8 THEN 'iterated' WHEN 9 THEN 'exhausted'
        WHEN 10 THEN 'iterated' WHEN 11 THEN 'exhausted'
        WHEN 12 THEN 'iterated' WHEN 13 THEN 'exhausted'
        WHEN 14 THEN 'iterated' WHEN 15 THEN 'exhausted'
    END AS outcome,
    {_field("0")} AS source, CASE arm.side WHEN 0 THEN {_field("1")} ELSE {_field("2")} END AS destination,
    code.qualname, code.id AS code, {_ARM_SLOT} AS slot"""
_LINE_COLUMNS = "line.value AS line, code.qualname, code.id AS code, line.key AS slot"

# For people: nothing of ours reads them.
VIEWS = (
    """\
CREATE VIEW hit AS
SELECT pattern.id AS pattern, context.value AS context
FROM pattern JOIN json_each(pattern.contexts) AS context""",
    f"""\
CREATE VIEW line AS
SELECT file.path, {_LINE_COLUMNS},
    EXISTS (SELECT 1 FROM pattern WHERE pattern.code = code.id AND {_bit("line.key")}) AS hit
FROM code JOIN file ON file.id = code.file JOIN json_each(code.lines) AS line""",
    f"""\
CREATE VIEW line_hit AS
SELECT file.path, {_LINE_COLUMNS}, context.static, context.test, context.phase
FROM pattern JOIN code ON code.id = pattern.code JOIN file ON file.id = code.file
    JOIN json_each(code.lines) AS line ON {_bit("line.key")}
    JOIN json_each(pattern.contexts) AS ran JOIN context ON context.id = ran.value""",
    f"""\
CREATE VIEW arc AS
SELECT file.path,
{_ARM_COLUMNS},
    EXISTS (SELECT 1 FROM pattern WHERE pattern.code = code.id AND {_bit(_ARM_SLOT)}) AS hit
FROM code JOIN file ON file.id = code.file JOIN json_each(code.sites) AS site JOIN {_ARMS} AS arm""",
    f"""\
CREATE VIEW arc_hit AS
SELECT file.path,
{_ARM_COLUMNS},
    context.static, context.test, context.phase
FROM pattern JOIN code ON code.id = pattern.code JOIN file ON file.id = code.file
    JOIN json_each(code.sites) AS site JOIN {_ARMS} AS arm ON {_bit(_ARM_SLOT)}
    JOIN json_each(pattern.contexts) AS ran JOIN context ON context.id = ran.value""",
)


def create(connection: "Connection") -> None:
    """Make the tables and views in an empty database; the indexes come once the rows are in (create_indexes)."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    for statement in TABLES + VIEWS:
        connection.execute(statement)


def create_indexes(connection: "Connection") -> None:
    for statement in INDEXES:
        connection.execute(statement)
