//! A run that is killed and resumed loses only the task in progress.
#![allow(clippy::unwrap_used)]

mod support;

use bitstate_harness::definitions::select::Patterns;
use bitstate_harness::definitions::thresholds::TimeLimits;
use bitstate_harness::records::journal::{Journal, Key, RunStart, last};
use bitstate_harness::records::provenance::Provenance;
use bitstate_harness::records::{Row, Tally};
use bitstate_harness::runs::measure::measure;
use bitstate_harness::runs::pairs::{self, Pairs, Settings, Side};
use bitstate_harness::runs::plan::Plan;
use bitstate_harness::runs::verify::verify;
use bitstate_harness::targets::Cell;
use bitstate_harness::targets::build::Built;
use bitstate_harness::targets::kinds::modules::Guests;
use bitstate_harness::targets::kinds::wasmtime::Hosted;
use bitstate_harness::targets::runner::Runner;
use bitstate_harness::workspace::Workspace;
use bitstate_harness::workspace::environment::command;
use bitstate_protocol::{Event, Header, Phase};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use support::Fake;

/// The folder of the process to be killed, which runs the same test.
const FOLDER: &str = "BITSTATE_TEST_FOLDER";
/// The number of the run at which the runner kills that process.
const KILL_AT: &str = "BITSTATE_TEST_KILL_AT";

/// A child process that is starting shares the open files of this process, and so its locks, until it executes its own
/// program: a test that opens a journal repeatedly must not run while another test starts processes.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A target whose runner is a script that answers each request, leaves a mark for every run, and kills its parent at
/// the given run.
fn target(name: &str, tick: &str, folder: &Path) -> (Fake, Built) {
    let mut fake = Fake::new();
    fake.cell = Cell::named(name, "generic").unwrap();
    let header = Header { target: name.into(), ..fake.header() };
    let events = [
        Fake::metric(Phase::Load, tick, 1000),
        Fake::metric(Phase::Prefill, tick, 5000),
        Fake::metric(Phase::Prefill, "tokens", 1),
        Fake::metric(Phase::Decode, tick, 100_000),
        Fake::metric(Phase::Decode, "tokens", 3),
        Fake::stream([4, 5, 6]),
    ];
    let fuel = events.iter().filter(|event| matches!(event, Event::Stream(_))).cloned();
    let fuel = fuel.chain([
        Fake::metric(Phase::Load, "fuel", 10),
        Fake::metric(Phase::Prefill, "fuel", 50),
        Fake::metric(Phase::Prefill, "tokens", 1),
        Fake::metric(Phase::Decode, "fuel", 1000),
        Fake::metric(Phase::Decode, "tokens", 3),
    ]);
    let fuel = Fake::answer(&header, &fuel.collect::<Vec<_>>());
    std::fs::write(fake.folder.path().join("answer.txt.fuel"), fuel).unwrap();
    let other = Fake::verify_answer(&header, &[Fake::stream([4, 5, 6])]);
    std::fs::write(fake.folder.path().join("answer.txt.verify"), other).unwrap();
    let takes = (0..3).flat_map(|take| Fake::of_take(take, events.to_vec())).collect::<Vec<_>>();
    std::fs::write(fake.folder.path().join("answer.txt.takes"), Fake::answer(&header, &takes)).unwrap();
    let script = format!(
        "case $(cat) in *'#1'*) answer=$ANSWER.takes;; *bench*) answer=$ANSWER;; *) answer=$ANSWER.verify;; esac\n\
         case \"$*\" in *--count-fuel*) answer=$ANSWER.fuel;; esac\n\
         mktemp -p '{0}/marks' >/dev/null\n\
         [ -n '{1}' ] && [ $(ls '{0}/marks' | wc -l) -ge '{1}' ] && kill -KILL $(cat '{0}/pid')\n\
         cat $answer",
        folder.display(),
        // A runner does not inherit the variable.
        std::env::var(KILL_AT).unwrap_or_default()
    );
    let mut runner = fake.runner(&Fake::answer(&header, &events), &script);
    if let (Some(program), "wasm") = (runner.program(), name) {
        let guests = [(fake.cell.variant.name, program.to_path_buf())].into();
        let guests = Guests::without_sessions(guests);
        runner = Runner::new(Hosted { host: program.to_path_buf(), guests, memory_limit: 1 });
    }
    let mut built = Built::default();
    built.runners.insert(fake.cell.target.name, runner);
    (fake, built)
}

/// A run like that of `bench`: verify, measure, pairs; on a target without a wall clock, on one with, and on one whose
/// fuel is counted last.
fn work(folder: &Path, journal: &Journal) -> Vec<Row> {
    std::fs::create_dir_all(folder.join("marks")).unwrap();
    let mut rows = Vec::new();
    for (name, tick) in [("xtensa", "instructions"), ("native", "time"), ("wasm", "time")] {
        let (fake, built) = target(name, tick, folder);
        fake.with_plan(&built, |plan| {
            let plan = Plan { journal: Some(journal), cases: plan.cases.clone(), ..*plan };
            rows.extend(verify(&plan).unwrap());
            let all = Patterns::parse("metric", &[]).unwrap();
            rows.extend(measure(&plan, &all, 1).unwrap().rows);
            let side = |label| Side { label, plan: &plan, cell: fake.cell };
            if name == "native" {
                let limits = TimeLimits { floor: 0.01, ceiling: 0.05 };
                let settings = Settings { pairs: Pairs::Exactly(20), seed: 1, limits };
                rows.extend(pairs::compare(&[[side("old"), side("new")]], &settings).unwrap().rows);
            }
        });
    }
    rows
}

fn workspace(folder: &Path) -> Workspace {
    Workspace { root: folder.to_path_buf(), target: folder.join("target") }
}

fn key(value: &str) -> Key {
    [("commit".to_string(), value.to_string())].into()
}

fn begin(folder: &Path) -> Journal {
    let provenance = Provenance { name: "a".into(), started: "2026-01-31T10:00:00Z".into(), ..Provenance::default() };
    let begun = RunStart { flags: vec!["--quick".into()], key: key("a"), inputs: Key::new(), provenance };
    Journal::begin(&workspace(folder), "bench", begun).unwrap()
}

fn marks(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("marks")).unwrap().count()
}

#[test]
fn a_killed_run_loses_only_the_task_in_progress() {
    let _alone = alone();
    if let Some(folder) = std::env::var_os(FOLDER) {
        let folder = Path::new(&folder);
        std::fs::write(folder.join("pid"), std::process::id().to_string()).unwrap();
        work(folder, &begin(folder));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let undisturbed = work(folder.path(), &begin(folder.path()));
    let runs = marks(folder.path());
    let count = |kind: fn(&Row) -> bool| undisturbed.iter().filter(|row| kind(row)).count();
    let measured = (count(|row| matches!(row, Row::Sample { .. })) > 100, count(|row| matches!(row, Row::Pair { .. })));
    assert_eq!(measured, (true, 80), "{undisturbed:#?}");
    // Killed while counting on several threads, in a sample, in a pair, and while counting fuel; with the number of
    // runs that may be repeated: one per thread, two for a pair, and the two warm-up runs of pairs.
    let threads = std::thread::available_parallelism().unwrap().get();
    for (kill_at, again) in [(1, threads), (4, threads), (15, 1), (24, 1), (60, 4), (runs, 3)] {
        let folder = tempfile::tempdir().unwrap();
        let this = "a_killed_run_loses_only_the_task_in_progress";
        let mut child = command(std::env::current_exe().unwrap());
        child.args(["--exact", this]).env(FOLDER, folder.path()).env(KILL_AT, kill_at.to_string());
        let output = child.output().unwrap();
        assert_eq!(output.status.signal(), Some(9), "{kill_at}: {output:?}");

        let path = last(&workspace(folder.path()), "bench").unwrap();
        // A crash of the whole machine can also leave half a line.
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"line\":\"done\",\"ta").unwrap();
        let (mut journal, torn) = Journal::open(&path).unwrap();
        assert!(torn);
        journal.resume().unwrap();
        assert_eq!(journal.begun().provenance.resumed.len(), 1);
        let finished = journal.finished();
        let resumed = work(folder.path(), &journal);
        assert_eq!(resumed, undisturbed, "killed at run {kill_at}");
        assert!(journal.finished() > finished);
        let made = marks(folder.path());
        assert!(
            (runs..=runs + again).contains(&made),
            "killed at run {kill_at}: {made} runs were made in place of {runs}"
        );
        // Resumed again, only the warm-up is left to do.
        drop(journal);
        let (journal, torn) = Journal::open(&path).unwrap();
        assert!(!torn);
        assert_eq!((work(folder.path(), &journal), marks(folder.path())), (undisturbed.clone(), made + 2));
        journal.end().unwrap();
        assert_eq!(last(&workspace(folder.path()), "bench").unwrap_err().exit().code(), 2);
    }
    let fuel = |row: &&Row| matches!(row, Row::Sample { metric, .. } if metric == "fuel");
    assert_eq!(undisturbed.iter().filter(fuel).count(), 3);
    assert_eq!(Tally::of(&undisturbed).failed, 3, "the kernel checks, which the script does not answer");
}

#[test]
fn a_run_with_another_key_is_not_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let journal = begin(folder.path());
    journal.require(&journal.begun().key, &key("a")).unwrap();
    let error = journal.require(&journal.begun().key, &key("b")).unwrap_err();
    assert_eq!(error.exit().code(), 3);
    assert_eq!(
        error.to_string(),
        "the run of 2026-01-31T10:00:00Z cannot be resumed: commit was `a`, is `b` now; start again without --resume, \
         or restore what has changed"
    );
}

#[test]
fn a_run_in_progress_is_not_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let journal = begin(folder.path());
    let error = Journal::open(journal.path()).unwrap_err();
    assert_eq!(error.exit().code(), 2);
    assert!(error.to_string().contains("this run is not interrupted"), "{error}");
}

#[test]
fn a_journal_that_a_crash_did_not_leave_is_refused_with_its_line() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let journal = begin(folder.path());
    let path = journal.path().to_path_buf();
    drop(journal);
    let begun = std::fs::read_to_string(&path).unwrap();
    let done =
        "{\"line\":\"done\",\"task\":\"a\",\"rows\":[],\"checks\":{},\"decided\":null,\"spent\":[7,1],\"schema\":5}\n";
    for (text, words) in [
        (String::new(), "it ends before the run began"),
        (begun[..20].to_string(), "it ends before the run began"),
        (done.to_string(), "line 1: it is not a line that a journal has here"),
        (begun.repeat(2), "line 2: it is not a line that a journal has here"),
        (begun.clone() + "{\"line\":\"do\n" + done, "line 2: it ends in the middle of a row"),
        (begun.clone() + &done.replace("[7,1]", "[7,-1]"), "line 2: "),
        (begun.clone() + &done.replace("\"schema\":5", "\"schema\":7"), "line 2: its `schema` is 7"),
    ] {
        std::fs::write(&path, &text).unwrap();
        let error = Journal::open(&path).unwrap_err();
        assert_eq!(error.exit().code(), 2);
        assert!(error.to_string().contains(words), "{text}\n{error}");
    }
    std::fs::write(&path, begun + done).unwrap();
    let (journal, _) = Journal::open(&path).unwrap();
    assert!(journal.done("a").is_some() && journal.spent()[0] >= 7, "what an earlier start took counts");
}
