"""Defects of what only some code meets: one event for both arms, tasks, templates, builds without a GIL; for plants.py.

Name -> what it is, file, text that is replaced, by what, who is to see it, and on which Python.
"""

from __future__ import annotations

BEFORE, TASKS, TEMPLATES, STRESS = (
    "test_before_3_14.py",
    "everywhere/test_tasks.py",
    "everywhere/test_templates.py",
    "free_threading/test_stress.py",
)
ORACLE, C_JOINS = "the oracle", "c/test_joins"
NEW, OLD, OLDEST, FREE = "3.14", "3.13", "3.12", "3.13t"

EVERYWHERE: dict[str, tuple[str, str, str, str, str, str]] = {
    # ---- one event for both arms
    "spare-arm-lost": (
        "an arm is not kept while its code has events to spare",
        "src/tracer.c",
        "        hit_arm(self, state, (uint32_t)index, arm);\n        return silence(self, state);\n    }\n    if (*known",
        "        return silence(self, state);\n    }\n    if (*known",
        "test_tracer.py",
        OLD,
    ),
    "waits-by-instruction": (
        "a long generator that waits for another goes by INSTRUCTION",
        "src/long_code.c",
        "    return i < n;",
        "    return false;",
        "test_long_code.py",
        OLDEST,
    ),
    "patterns-by-their-beginning": (
        "two patterns of a code object are one if they differ in the last byte alone",
        "src/reader_hits.c",
        "bits, n_bytes) != 0) {",
        "bits, n_bytes - 1) != 0) {",
        "test_reader.py",
        OLD,
    ),
    "joined-twice": (
        "two arms of one join are told by it",
        "src/joins.c",
        "(LEFT_TAKEN << first[i].arm | TOLD_BY_JOIN)",
        "(LEFT_TAKEN << first[i].arm)",
        C_JOINS,
        OLD,
    ),
    "joined-with-taken": (
        "a join tells of one arm though another of its arms is taken",
        "src/joins.c",
        "(LEFT_TAKEN << first[i].arm | TOLD_BY_JOIN)",
        "TOLD_BY_JOIN",
        BEFORE,
        OLD,
    ),
    "never-parted": (
        "the arm that a join told of is not heard again when another of its arms is taken",
        "src/joins.c",
        "            return first[i].site;\n",
        "            return -1;\n",
        BEFORE,
        OLD,
    ),
    "proved-by-shared": (
        "an instruction that jumps lead to, too, proves a RIGHT arm",
        "src/proofs.c",
        "!(marks[right] & (SHARED | OTHERWISE))",
        "!(marks[right] & OTHERWISE)",
        ORACLE,
        OLD,
    ),
    # ---- tasks
    "steps-of-another-thread": (
        "a step of another thread is taken for this one's",
        "src/tasks.c",
        "thread->id != self->task_thread || thread->context_ver",
        "thread->context_ver",
        TASKS,
        NEW,
    ),
    "steps-of-a-thread": (
        "all that a thread runs is of one task",
        "src/tasks.c",
        "thread->id != self->task_thread || thread->context_ver != self->task_version",
        "thread->id != self->task_thread",
        TASKS,
        NEW,
    ),
    "nothing-inherited": (
        "callbacks and threads of a task are nobody's",
        "src/tasks.c",
        "        PyObject *token = PyContextVar_Set(self->task_variable, name);\n",
        "        PyObject *token = NULL;\n",
        TASKS,
        NEW,
    ),
    "phases-of-tests-alone": (
        "a task in a phase of a test is called by its name alone",
        "src/tasks.c",
        'PyUnicode_FromFormat("%U %U", phase, name)',
        "Py_NewRef(name)",
        TASKS,
        NEW,
    ),
    "names-of-any-kind": (
        "the name of a task may be of a subclass of str",
        "src/tasks.c",
        "if (name != NULL && !PyUnicode_CheckExact(name)) {",
        "if (name != NULL && !PyUnicode_Check(name)) {",
        TASKS,
        NEW,
    ),
    "tasks-in-one-serial": (
        "the step of another task begins no new serial",
        "src/tasks.c",
        "    tracer_begin_serial(self);\n",
        "",
        TASKS,
        NEW,
    ),
    "task-of-the-test-before": (
        "the context that a task is in is not put together anew in the next test",
        "src/tasks.c",
        "    Py_XSETREF(self->base, Py_NewRef(base));\n",
        "    if (self->base == NULL) {\n        self->base = Py_NewRef(base);\n    }\n",
        TASKS,
        NEW,
    ),
    # ---- templates
    "modules-by-name": (
        "a module of Mako's is known by its name alone",
        "covcore/measure/templates.py",
        "if info is not None and vars(info.module) is namespace:",
        "if info is not None:",
        TEMPLATES,
        NEW,
    ),
    "modules-as-templates": (
        "a module that Jinja2 wrote for good is taken for a template",
        "covcore/measure/templates.py",
        '    if "__jinja_template__" in namespace and "__name__" not in namespace:\n',
        '    if "__jinja_template__" in namespace:\n',
        TEMPLATES,
        NEW,
    ),
    "others-as-templates": (
        "what runs in a template's namespace is the template's",
        "covcore/measure/templates.py",
        "is_ours = path == code.co_filename",
        "is_ours = True",
        TEMPLATES,
        NEW,
    ),
    "definitions-as-templates": (
        "what defines a template's functions is measured as its code",
        "covcore/measure/templates.py",
        "return UNMEASURED if _defines_template(code, namespace) else code.co_filename",
        "return code.co_filename",
        TEMPLATES,
        NEW,
    ),
    "wrapped-and-lost": (
        "functions of a template that a decorator wraps are not among its code",
        "covcore/measure/templates.py",
        "                yield inner.__code__\n",
        "                pass\n",
        TEMPLATES,
        NEW,
    ),
    "lines-of-the-module": (
        "the map of Mako's lines is read the wrong way round",
        "covcore/measure/templates.py",
        """lines.append(f"{template_line}={line.strip('"')}")""",
        """lines.append(f"{line.strip('"')}={template_line}")""",
        TEMPLATES,
        NEW,
    ),
    # ---- tallies
    "taken-and-kept": (
        "hits that were taken are given once more",
        "src/tallying.c",
        "        tally_forget_hits(&self->tally);\n",
        "",
        STRESS,
        NEW,
    ),
    "forgotten-at-resumption": (
        "code of an earlier start is not armed again when measuring goes on",
        "src/tallying.c",
        "        return tracer_rearm(self, state);\n",
        "        return 0;\n",
        STRESS,
        NEW,
    ),
    # ---- the lock that stands for the GIL
    "no-lock": (
        "nobody waits for the lock",
        "src/lock.c",
        "const bool needed = !Py_IsFinalizing();",
        "const bool needed = false;",
        STRESS,
        FREE,
    ),
}
