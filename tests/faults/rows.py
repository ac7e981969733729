"""The rows of the list of faults that the project is judged by, and which tests hold each: docs/reliability.md has them as a table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One row.

    number: as the list has it
    fault: what is done to covcore or to the program that it measures
    outcome: what happens then; of a row without tests, why it is not run
    tests: `file::name` or `file`, below tests/
    """

    number: str
    fault: str
    outcome: str
    tests: tuple[str, ...] = ()


DISKS, FORKS, KILLS = "faults/test_disks.py", "faults/test_forks.py", "faults/test_kills.py"
ENDS, MEMORY, CODE, AROUND = (
    "faults/test_ends.py",
    "faults/test_memory.py",
    "faults/test_code.py",
    "faults/test_surroundings.py",
)
PROCESSES, RECOVERY, COMBINE, HOSTILE = (
    "test_processes.py",
    "test_recovery.py",
    "test_combine.py",
    "test_hostile.py",
)
PUBLISH, RUN, STORE, TRACER, XDIST = (
    "test_publish.py",
    "test_run.py",
    "test_store.py",
    "test_tracer.py",
    "test_plugin_xdist.py",
)

ROWS = [
    Row(
        "T1",
        "`os._exit` from threads, deep calls, handlers, forked children",
        "all slots that ran are kept",
        (f"{ENDS}::test_os_exit", f"{RECOVERY}::test_other_sudden_ends"),
    ),
    Row(
        "T2",
        "`exec` of Python and of other programs",
        "both images are kept, the caller's environment is as it was",
        (
            f"{PROCESSES}::test_exec_of_python",
            f"{PROCESSES}::test_exec_by_the_program_itself",
            f"{RECOVERY}::test_other_sudden_ends",
        ),
    ),
    Row(
        "T3",
        "forks, however the child ends",
        "the union of both, nothing overwritten",
        (
            f"{PROCESSES}::test_forks",
            f"{PROCESSES}::test_a_fork_that_runs_nothing_of_the_users",
            f"{RUN}::test_forked_child_does_not_publish",
        ),
    ),
    Row(
        "T4",
        "a daemon that outlives its run",
        "counts until now, is said to run still, adds the rest later",
        (f"{PROCESSES}::test_a_daemon_that_outlives_its_run",),
    ),
    Row(
        "T5",
        "forks while 8 threads switch contexts",
        "no hang, no status changed, each accounted for",
        (f"{FORKS}::test_forks_while_threads_switch_contexts",),
    ),
    Row(
        "T6",
        "pools that are terminated, executors that are cancelled",
        "every task that was done is in the data",
        (
            f"{FORKS}::test_pools_lose_no_task",
            f"{PROCESSES}::test_a_pool_that_is_terminated",
            f"{PROCESSES}::test_process_pool_executor",
        ),
    ),
    Row(
        "T7",
        "fork, spawn, forkserver",
        "the same lines for all three",
        (f"{PROCESSES}::test_multiprocessing", f"{FORKS}::test_pools_lose_no_task"),
    ),
    Row(
        "T8",
        "SIGTERM, SIGHUP, SIGINT, SIGUSR1: by default, ignored, handled",
        "as without covcore; data kept",
        (f"{KILLS}::test_signals",),
    ),
    Row(
        "T9",
        "SIGKILL at random instants, start-up, exit and publishing included",
        "no line lost, at most one event a thread ahead of the victim's log; deaths reported",
        (
            f"{KILLS}::test_sigkill_at_any_instant",
            f"{KILLS}::test_killed_before_the_recording_is_there",
            f"{TRACER}::test_a_killed_process_leaves_all_but_the_event_in_flight",
        ),
    ),
    Row(
        "T10",
        "SIGSEGV, SIGABRT, SIGBUS, C stack overflow, a wild write, the kernel's killer in a control group",
        "data kept, same status",
        (f"{KILLS}::test_crashes", f"{ENDS}::test_crashes_in_c", f"{ENDS}::test_the_killer_for_want_of_memory"),
    ),
    Row(
        "T11",
        "workers of pytest-xdist killed in a test and at their end",
        "nothing lost, both reported, status 1 with `--strict`",
        (f"{ENDS}::test_workers_that_are_killed", f"{XDIST}::test_a_worker_killed_in_a_test"),
    ),
    Row(
        "T12",
        "exit handlers that raise, leave, kill, start threads, in both orders",
        "as without covcore, data kept",
        (f"{FORKS}::test_exit_handlers", f"{RUN}::test_published_whatever_the_program_leaves_behind"),
    ),
    Row(
        "T13",
        "200 daemon threads running through finalization; busy ones",
        "no crash, nothing lost, publishing is not held up",
        (
            f"{ENDS}::test_daemon_threads_run_through_the_end",
            f"{ENDS}::test_busy_daemons_do_not_hold_publishing_up",
            f"{TRACER}::test_finalisation",
        ),
    ),
    Row(
        "T14",
        "100,000 threads one after the other",
        "no descriptor more, less than 5 MB",
        (f"{FORKS}::test_many_threads",),
    ),
    Row(
        "T15",
        "subprocesses of all kinds: shells, scripts, `env={}`, `-I`, `-S`, `-E`, other folders",
        "measured, or listed",
        (
            f"{PROCESSES}::test_subprocesses_of_all_kinds",
            f"{PROCESSES}::test_a_script_is_matched_with_its_interpreter",
            f"{PROCESSES}::test_what_left_no_record_is_said",
            f"{PROCESSES}::test_what_a_child_finds",
            f"{PROCESSES}::test_no_subprocess",
        ),
    ),
    Row(
        "T16",
        "64 processes, and 16 runs, at once in a new folder",
        "all accounted for, no errors",
        (f"{FORKS}::test_many_processes_start_at_once", f"{FORKS}::test_runs_that_start_at_once"),
    ),
    Row(
        "T17",
        "overlayfs, a read-only bind mount, tmpfs. NFS, CIFS, 9p, FUSE: not run",
        "works, or a warning names the other folder",
        (f"{AROUND}::test_file_systems", f"{DISKS}::test_a_full_disk"),
    ),
    Row(
        "T18",
        "disks and file size limits of every size in steps of 64 KB, also for `combine`",
        "the program as without covcore; the data whole, or a warning; inputs as they were",
        (
            f"{DISKS}::test_a_full_disk",
            f"{DISKS}::test_space_comes_back",
            f"{DISKS}::test_a_limit_of_file_sizes",
            f"{DISKS}::test_a_limit_that_comes_later",
            f"{COMBINE}::test_a_full_disk_loses_nothing",
            f"{PUBLISH}::test_no_room_at_any_size",
        ),
    ),
    Row(
        "T19",
        "the n-th call that opens, allocates, maps, writes, reads, synchronises, renames or removes fails, alone or with all that follow",
        "the same",
        (f"{DISKS}::test_the_nth_call_fails", f"{PUBLISH}::test_a_call_that_fails"),
    ),
    Row(
        "T20",
        "SIGKILL of `combine` at random instants and between any two changes to the disk",
        "no context lost; called again, the same bytes as one that was not killed",
        (
            f"{COMBINE}::test_killed_at_any_instant_nothing_is_lost",
            f"{COMBINE}::test_killed_between_any_two_steps",
            f"{PUBLISH}::test_killed_at_each_call_to_the_system",
            f"{PUBLISH}::test_killed_at_any_moment",
        ),
    ),
    Row(
        "T21",
        "inputs that are empty, cut, flipped, gzip, text",
        "nothing written or removed, all named; `--allow-partial` leaves them out",
        (
            f"{COMBINE}::test_one_bad_input_stops_all",
            f"{COMBINE}::test_a_recording_that_is_cut_is_left_alone",
            f"{HOSTILE}::test_each_bit_of_a_database_counts",
            f"{HOSTILE}::test_flipped_bits_under_a_good_checksum_never_surprise",
            f"{HOSTILE}::test_cut_at_each_page_and_beside",
            f"{RECOVERY}::test_any_cut_and_any_flip",
        ),
    ),
    Row(
        "T22",
        "databases of newer schemas and of other programs",
        "nothing merged, nothing removed, all named",
        (f"{COMBINE}::test_one_bad_input_stops_all", f"{STORE}::test_a_newer_schema", f"{STORE}::test_other_things"),
    ),
    Row(
        "T23",
        "each column with values of other types and sizes",
        "refused, or the same after another merge",
        (f"{HOSTILE}::test_wrong_values_in_each_column",),
    ),
    Row(
        "T24",
        "combine twice, into itself, copies, several at once",
        "the same bytes",
        (
            f"{COMBINE}::test_again_with_the_result_among_the_inputs",
            f"{COMBINE}::test_any_order_and_any_grouping_give_the_same_bytes",
            f"{COMBINE}::test_two_at_once",
        ),
    ),
    Row(
        "T25",
        "journals, editors' copies, folders, sockets, FIFOs, devices, links among the data, or in its place as it is opened",
        "ignored or refused below 1 s; no target made",
        (
            f"{HOSTILE}::test_a_folder_with_anything_in_it",
            f"{HOSTILE}::test_each_of_them_named",
            f"{HOSTILE}::test_as_the_database_of_a_report",
            f"{HOSTILE}::test_recordings_in_a_folder_that_is_a_link",
            f"{HOSTILE}::test_a_file_that_is_swapped_while_it_is_opened",
            f"{HOSTILE}::test_a_file_that_becomes_something_else",
            f"{RECOVERY}::test_things_that_are_no_recordings",
        ),
    ),
    Row(
        "T26",
        "paths of Windows and POSIX mapped, `..`, repeated prefixes, equal names",
        "one file each",
        (
            f"{COMBINE}::test_the_leading_part_of_a_path",
            f"{COMBINE}::test_a_folder_here_below_one_that_a_pattern_matches",
            f"{COMBINE}::test_roots_with_equal_names_below",
            f"{COMBINE}::test_relative_paths_lead_nowhere_else",
            f"{COMBINE}::test_files_of_two_machines_are_one",
        ),
    ),
    Row(
        "T27",
        "a source edited after the run; two texts of one file",
        "said to be stale; never mixed",
        (
            f"{COMBINE}::test_two_texts_of_a_file_are_not_mixed",
            f"{PUBLISH}::test_a_changed_file_is_not_mixed",
            "test_analysis.py::test_a_changed_file_is_not_reported",
        ),
    ),
    Row(
        "T28",
        "archives, namespace packages, frozen modules, made-up file names, notebook cells",
        "reported, or named as without source",
        (
            f"{AROUND}::test_code_from_anywhere",
            "test_report.py::test_code_without_a_file",
            "test_analysis.py::test_a_member_of_a_zip_file",
        ),
    ),
    Row(
        "T29",
        "chdir, removed folders, chroot, umask 777, setuid",
        "data where it belongs or where a warning says; same status",
        (f"{FORKS}::test_strange_surroundings",),
    ),
    Row(
        "T30",
        "folders that cannot be written, names that are too long",
        "one line that names the other folder; same status",
        (f"{RUN}::test_fallback", f"{RUN}::test_no_room_for_a_recording", f"{AROUND}::test_names_that_are_too_long"),
    ),
    Row(
        "T31",
        "`os.closerange`, then 100 files of the user's",
        "theirs byte for byte, data kept",
        (f"{FORKS}::test_closed_descriptors",),
    ),
    Row(
        "T32",
        "mocks of os and time, `sys.modules.clear()`, tiny limits of descriptors, processes, memory",
        "no effect on covcore, same status",
        (f"{FORKS}::test_strange_surroundings", f"{DISKS}::test_other_limits", f"{RUN}::test_mocks_at_the_end"),
    ),
    Row("T34", "embedded Pythons", "not run: none of the Pythons at hand comes with a shared library"),
    Row(
        "T38",
        "debuggers, profilers, other tools that restart events, take or free ids",
        "our data exact, theirs unchanged",
        (
            f"{TRACER}::test_beside_other_tools",
            f"{TRACER}::test_ids_freed_and_taken",
            f"{TRACER}::test_a_switch_disturbs_no_other_tool",
            f"{TRACER}::test_no_tool_id_is_free",
            "test_program.py::test_debugger",
            "test_program.py::test_profiler_that_runs_covcore",
        ),
    ),
    Row("T39", "the suites under AddressSanitizer and UBSan", "`make sanitize`: no report", ()),
    Row(
        "T41",
        "starting and stopping again and again",
        "no block, descriptor or mapping more. No debug build of CPython was at hand for reference counts",
        (f"{MEMORY}::test_nothing_is_kept",),
    ),
    Row(
        "T42",
        "the n-th allocation fails",
        "no crash; no MemoryError reaches the program",
        (
            f"{MEMORY}::test_each_allocation_of_a_measured_program_fails",
            f"{MEMORY}::test_any_allocation_of_a_run_fails",
        ),
    ),
    Row(
        "T43",
        "fuzzing of bitmaps, recordings, line tables and pages of databases",
        "`make fuzz`: no finding. 24 hours each: not run",
        (),
    ),
    Row(
        "T44",
        "mutated code objects",
        "analysed, or refused; no crash",
        (f"{CODE}::test_mutated_code_is_analysed_or_refused", "test_sites.py::test_malformed_code_is_refused"),
    ),
    Row(
        "T47",
        "triggers, views, virtual tables, generated columns, huge values, values repeated by references, pages in circles, holes",
        "refused below 1 s of CPU and 100 MB",
        (
            f"{HOSTILE}::test_schemas_that_are_not_ours",
            f"{HOSTILE}::test_a_table_that_is_an_endless_view",
            f"{HOSTILE}::test_blobs_and_texts_that_are_too_long",
            f"{HOSTILE}::test_a_long_text_that_many_rows_refer_to",
            f"{HOSTILE}::test_a_schema_of_many_views",
            f"{HOSTILE}::test_a_hole_of_a_terabyte",
            f"{HOSTILE}::test_recordings_of_holes",
            f"{HOSTILE}::test_a_shape_that_claims_more_than_there_is",
            f"{HOSTILE}::test_a_page_that_is_its_own_child",
            f"{HOSTILE}::test_a_few_pages_that_make_endless_rows",
            f"{HOSTILE}::test_a_circle_of_overflow_pages",
        ),
    ),
    Row(
        "T48",
        "planted paths: `/etc/passwd`, `..`, linked folders",
        "named, not read",
        (
            f"{HOSTILE}::test_a_file_outside_is_named_and_not_read",
            f"{HOSTILE}::test_a_file_of_the_system",
            f"{HOSTILE}::test_a_source_folder_outside_is_not_searched",
            f"{HOSTILE}::test_sources_that_are_no_files",
        ),
    ),
    Row(
        "T49",
        "anything sent by a worker of pytest-xdist; recordings of any bytes",
        "refused, or read as anybody's",
        (f"{XDIST}::test_what_a_worker_sends_is_not_trusted", f"{HOSTILE}::test_recordings_of_any_bytes"),
    ),
    Row(
        "T50",
        "the start-up hook without its variable, with a strange one, with a broken covcore; PEP 829",
        "silent; the interpreter starts. Its cost: `make bench ARGS=processes`",
        (
            f"{PROCESSES}::test_the_hook_is_installed_and_inert",
            f"{PROCESSES}::test_an_interpreter_starts_with_a_broken_covcore",
            f"{PROCESSES}::test_a_strange_variable_does_no_harm",
            f"{PROCESSES}::test_the_hook_says_nothing_by_itself",
            f"{PROCESSES}::test_the_start_file_of_later_pythons",
        ),
    ),
    Row(
        "T51",
        "hash seeds, locales, time zones, a clock set back, reused process ids, containers",
        "the same bytes; unique names",
        (
            f"{AROUND}::test_output_is_the_same_whatever_the_seed_locale_and_time_zone",
            f"{AROUND}::test_names_in_any_locale",
            f"{AROUND}::test_the_clock_was_set_back",
            f"{AROUND}::test_processes_of_one_number_in_several_containers",
            f"{PROCESSES}::test_pid_reuse",
        ),
    ),
    Row(
        "P2",
        "commands that read while processes start and are killed",
        "no error, nothing left behind",
        (f"{KILLS}::test_killed_while_others_read", f"{RECOVERY}::test_many_readers_at_once"),
    ),
    Row("L1", "10,000 contexts, 5,000 files", "`make bench ARGS=contexts`", ()),
    Row("L2", "combine 1,000 and 10,000 databases", "`make bench ARGS=combine`", ()),
    Row(
        "L3",
        "64 threads, 20,000 rounds each",
        "all lines, each time. Free-threaded builds: not run",
        (f"{CODE}::test_many_threads_in_the_same_code",),
    ),
    Row("L4", "200 forks", "`make bench ARGS=processes`", (f"{FORKS}::test_forks_cost_little",)),
    Row("L7", "24 hours, a million switches of context", "not run", ()),
    Row("L8", "recordings on disk against anonymous memory", "`make bench ARGS=recording`", ()),
]
