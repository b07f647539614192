//! `telpher queues`, `inspect`, `peek`, `purge`, `check` and `backup` as a user meets them.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use rustix::process::Signal;
use serde_json::Value;
use support::*;
use telpher::{
    Durability, HeadersBuilder, HostRole, Hub, Message, OpenOptions, QueueOptions, sugar,
};

/// A directory for a hub, and a server of it.
struct World {
    _scratch: tempfile::TempDir,
    path: PathBuf,
    server: Option<Server>,
}

impl World {
    fn begin() -> World {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("data");
        let mut world = World { _scratch: scratch, path, server: None };
        world.serve();
        world
    }

    fn serve(&mut self) {
        let mut server = Server::start(&[&self.data()]);
        server.says("ready: hub");
        self.server = Some(server);
    }

    fn data(&self) -> String {
        self.path.display().to_string()
    }

    fn beside(&self, name: &str) -> String {
        self.path.with_file_name(name).display().to_string()
    }

    /// A handle that never hosts.
    fn guest(&self) -> Hub {
        guest(&self.data())
    }

    fn end(&mut self, signal: Signal) {
        self.server.take().unwrap().signal(signal);
    }
}

fn guest(path: &str) -> Hub {
    let options = OpenOptions { host: HostRole::Never, ..OpenOptions::default() };
    sugar::open_with(&format!("file://{path}"), options).unwrap()
}

fn in_memory() -> QueueOptions {
    QueueOptions { durability: Some(Durability::Memory), ..QueueOptions::default() }
}

/// What the program says; it must go well.
fn said(arguments: &[&str]) -> String {
    let output = output(arguments);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {out}{err}");
    assert_eq!(err, "", "{arguments:?}");
    if !arguments.contains(&"--json") {
        out.lines().for_each(|line| assert!(line.chars().count() <= 80, "{line}"));
    }
    out
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&said(&[arguments, &["--json"]].concat())).unwrap()
}

/// What the program says when it fails, in one line.
fn refusal(arguments: &[&str]) -> String {
    let Output { status, stderr, stdout } = output(arguments);
    let said = text(&stderr);
    assert_eq!(status.code(), Some(1), "{arguments:?}: {said}");
    assert_eq!((said.lines().count(), text(&stdout).as_str()), (1, ""), "{said}");
    said
}

/// Every file of a directory with its content and the time of its last change.
fn content(path: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let files = fs::read_dir(path).unwrap().map(|entry| {
        let entry = entry.unwrap();
        let changed = entry.metadata().unwrap().modified().unwrap();
        let content = fs::read(entry.path()).unwrap_or_default();
        (entry.file_name().into_string().unwrap(), (content, changed))
    });
    files.collect()
}

/// Queues with something of everything in them.
fn fill(hub: &Hub) {
    let jobs = hub.queue("jobs").unwrap();
    jobs.declare(QueueOptions { ttl_ms: 86_400_000, ..QueueOptions::default() }).unwrap();
    let mut message = Message::new("bad \x1b[31mred\x1b[0m");
    let mut headers = HeadersBuilder::default();
    headers.push("content-type", b"text/plain").unwrap();
    message.properties_mut().headers = headers.build();
    message.properties_mut().priority = 7;
    message.properties_mut().key = "customer-17".into();
    jobs.send(message).unwrap();
    let job = jobs.receive(PATIENCE).unwrap();
    job.reject("no such customer").unwrap();
    jobs.send("a line\nand ".to_owned() + &"more ".repeat(50)).unwrap();
    jobs.send(vec![0xff, 0x00, 0x7f]).unwrap();
    let notes = hub.queue("notes").unwrap();
    notes.declare(in_memory()).unwrap();
    notes.send("not on disk").unwrap();
}

fn check_what_is_shown(data: &str, notes: u64) {
    let table = said(&["queues", data]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 4, "{table}");
    assert!(lines[0].starts_with("QUEUE") && lines[1].starts_with("jobs  "), "{table}");
    assert!(lines[2].starts_with("jobs.dead") && lines[3].starts_with("notes"), "{table}");
    let figures: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!(figures, ["jobs", "2", "0", "0", "264", "B", "disk", "0"]);
    let queues = json(&["queues", data]);
    assert_eq!(queues["queues"][1]["ready"], 1, "{queues}");
    assert_eq!(queues["queues"][2]["ready"], notes, "{queues}");
    assert_eq!(queues["queues"][2]["durability"], "memory", "{queues}");

    let inspected = said(&["inspect", data, "jobs"]);
    for part in ["2 of at most 1,000,000", "256 MiB", "disk: ", "1day", "to jobs.dead", "3 sent"] {
        assert!(inspected.contains(part), "{part}: {inspected}");
    }
    assert_eq!(json(&["inspect", data, "jobs"])["dead_lettered"], 1);

    let peeked = said(&["peek", data, "jobs"]);
    assert!(peeked.contains("  body, 261 B: a line\\nand more"), "{peeked}");
    assert!(peeked.contains("  body, 3 B: ff 00 7f\n"), "{peeked}");
    assert_eq!(said(&["peek", data, "jobs", "--count", "1"]).matches("message ").count(), 1);
    let peeked = json(&["peek", data, "jobs"]);
    assert_eq!(peeked["messages"][1]["body_hex"], "ff007f", "{peeked}");
    assert_eq!(peeked["messages"][0]["size"], 261, "{peeked}");

    let dead = said(&["peek", data, "jobs.dead"]);
    for part in [
        ", priority 7\n",
        "  key: customer-17\n",
        "  content-type: text/plain\n",
        "  telpher.queue: jobs\n",
        "  telpher.reason: rejected\n",
        "  telpher.error: no such customer\n",
        " rejected: no such customer\n",
        "  body, 16 B: bad \\u{1b}[31mred\\u{1b}[0m\n",
    ] {
        assert!(dead.contains(part), "{part}: {dead}");
    }
    let headers = &json(&["peek", data, "jobs.dead"])["messages"][0]["headers"];
    assert_eq!(headers[0]["name"], "content-type", "{headers}");
}

#[test]
fn a_hub_looks_the_same_through_its_host_and_from_its_directory() {
    let mut world = World::begin();
    let data = world.data();
    fill(&world.guest());
    check_what_is_shown(&data, 1);
    world.end(Signal::TERM);
    let before = content(&world.path);
    check_what_is_shown(&data, 1);
    assert!(said(&["check", &data]).starts_with(&format!("{data}: sound\n")));
    assert_eq!(before, content(&world.path), "looking has changed something");
    // What was in memory is gone with a host that was killed.
    world.serve();
    world.end(Signal::KILL);
    let before = content(&world.path);
    check_what_is_shown(&data, 0);
    assert_eq!(said(&["peek", &data, "notes"]), "No message waits in notes.\n");
    assert_eq!(before, content(&world.path), "looking has changed something");
}

#[test]
fn a_served_hub_is_looked_at_by_its_address() {
    let address = free_address();
    let mut server = Server::start(&["--listen", &address]);
    server.says("listening on");
    let hub = open(&address);
    assert_eq!(said(&["queues", &address]), "There are no queues.\n");
    hub.queue("jobs").unwrap().declare(QueueOptions::default()).unwrap();
    hub.queue("jobs").unwrap().send("hello").unwrap();
    assert_eq!(json(&["queues", &address])["queues"][0]["ready"], 1);
    assert!(said(&["peek", &address, "jobs"]).ends_with("  body, 5 B: hello\n"));
    assert_eq!(said(&["purge", &address, "jobs"]), "1 message removed from jobs\n");
    assert_eq!(json(&["purge", &address, "jobs"])["removed"], 0);
}

#[test]
fn only_a_host_purges() {
    let mut world = World::begin();
    let data = world.data();
    let jobs = world.guest().queue("jobs").unwrap();
    jobs.declare(QueueOptions::default()).unwrap();
    for _ in 0..3 {
        jobs.send("x").unwrap();
    }
    let _held = jobs.receive(PATIENCE).unwrap();
    assert_eq!(said(&["purge", &data, "jobs"]), "2 messages removed from jobs\n");
    assert!(refusal(&["purge", &data, "none"]).contains("NOT_FOUND"));
    world.end(Signal::TERM);
    let said = refusal(&["purge", &data, "jobs"]);
    assert!(said.contains("nobody hosts") && said.contains("telpher serve"), "{said}");
}

#[test]
fn a_list_of_many_queues_is_whole_and_long_names_are_cut() {
    let mut world = World::begin();
    let hub = world.guest();
    let long = format!("{}.end", "n".repeat(200));
    for name in (0..600).map(|number| format!("queue.{number:03}")).chain([long.clone()]) {
        hub.queue(&name).unwrap().declare(in_memory()).unwrap();
    }
    for _ in 0..2 {
        let table = said(&["queues", &world.data()]);
        assert_eq!(table.lines().count(), 602);
        assert!(table.contains("nnn…") && !table.contains(&long), "{table}");
        let queues = json(&["queues", &world.data()]);
        assert_eq!(queues["queues"].as_array().unwrap().len(), 601);
        assert_eq!(queues["queues"][0]["queue"], long.as_str());
        if world.server.is_some() {
            world.end(Signal::TERM);
        }
    }
}

#[test]
fn damage_is_told_with_file_and_offset_and_ends_with_1() {
    let mut world = World::begin();
    let data = world.data();
    fill(&world.guest());
    assert_eq!(json(&["check", &data])["host"], world.server.as_ref().unwrap().child.id());
    world.end(Signal::KILL);
    let report = json(&["check", &data]);
    assert_eq!((&report["sound"], &report["messages"]), (&true.into(), &3.into()), "{report}");
    let file = world.path.join("journal.00000001");
    let mut bytes = fs::read(&file).unwrap();
    bytes[500] ^= 1;
    fs::write(&file, bytes).unwrap();
    let checked = output(&["check", &data]);
    let said = text(&checked.stdout);
    assert_eq!(checked.status.code(), Some(1), "{said}");
    assert!(said.starts_with(&format!("{data}: DAMAGED\n")), "{said}");
    assert!(said.contains(&format!("{} at offset ", file.display())), "{said}");
    let checked = output(&["check", &data, "--json"]);
    let report: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(report["damage"]["file"], "journal.00000001", "{report}");
    assert!(report["damage"]["offset"].as_u64().unwrap() <= 500, "{report}");
    for command in [&["queues", &data][..], &["peek", &data, "jobs"], &["inspect", &data, "jobs"]] {
        let said = refusal(command);
        let parts = ["CORRUPT", "journal.00000001", "at offset", "telpher check"];
        parts.iter().for_each(|part| assert!(said.contains(part), "{part}: {said}"));
    }
    let target = world.beside("copy");
    assert!(refusal(&["backup", &data, &target]).contains("journal.00000001"));
    assert!(!Path::new(&target).exists());
}

#[test]
fn what_is_no_hub_is_refused_in_one_line() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().display().to_string();
    let missing = scratch.path().join("missing").display().to_string();
    for command in ["check", "queues"] {
        let said = refusal(&[command, &missing]);
        assert!(said.contains(&missing) && said.contains("No such file"), "{said}");
        assert!(refusal(&[command, &path]).contains("not a hub's directory"));
    }
    fs::write(scratch.path().join("VERSION"), "telpher directory 9\n").unwrap();
    for command in ["check", "queues"] {
        assert!(refusal(&[command, &path]).contains("telpher directory 9"));
    }
    assert!(refusal(&["queues", "mem://jobs"]).contains("own process"));
    assert!(refusal(&["queues", "http://jobs"]).contains("scheme"));
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
}

#[test]
fn a_backup_of_a_busy_hub_has_everything_that_was_confirmed_before() {
    let mut world = World::begin();
    let data = world.data();
    for queue in ["jobs", "churn"] {
        world.guest().queue(queue).unwrap().declare(QueueOptions::default()).unwrap();
    }
    let (confirmed, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let produce = || {
        let jobs = guest(&data).queue("jobs").unwrap();
        while !is_over.load(Ordering::SeqCst) {
            let number = confirmed.load(Ordering::SeqCst);
            jobs.send(number.to_le_bytes().to_vec()).unwrap();
            confirmed.store(number + 1, Ordering::SeqCst);
        }
    };
    // Segments are finished, made and freed meanwhile.
    let churn = || {
        let churn = guest(&data).queue("churn").unwrap();
        while !is_over.load(Ordering::SeqCst) {
            churn.send(vec![7; 500_000]).unwrap();
            let _ = churn.receive(PATIENCE).unwrap().acknowledge();
        }
    };
    std::thread::scope(|scope| {
        let _over = Over(&is_over);
        scope.spawn(produce);
        scope.spawn(churn);
        for round in 1..=5 {
            while confirmed.load(Ordering::SeqCst) < round * 50 {
                std::thread::yield_now();
            }
            let before = confirmed.load(Ordering::SeqCst);
            let target = world.beside(&format!("copy{round}"));
            let backup = scope.spawn({
                let (data, target) = (data.clone(), target.clone());
                move || json(&["backup", &data, &target])
            });
            if round % 2 == 0 {
                // Another host takes over meanwhile.
                world.end(Signal::KILL);
                world.serve();
            }
            let report = backup.join().unwrap();
            assert_eq!(report["sound"], true, "{report}");
            let found = report["messages"].as_u64().unwrap();
            assert!(found >= before, "{found} of {before}");
            check_copy(&target, before);
        }
    });
    world.end(Signal::TERM);
    let report = json(&["check", &data]);
    assert_eq!(report["messages"], confirmed.load(Ordering::SeqCst), "{report}");
}

/// Ends those who work until then, however a test ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Opens a copy, and takes out what must be there, in order.
fn check_copy(target: &str, count: u64) {
    assert_eq!(fs::metadata(target).unwrap().permissions().mode() & 0o777, 0o700);
    let mut server = Server::start(&[target]);
    server.says("ready: hub");
    let jobs = guest(target).queue("jobs").unwrap();
    for number in 0..count {
        let job = jobs.receive(PATIENCE).unwrap();
        assert_eq!(job.message().body[..], number.to_le_bytes());
        job.acknowledge().unwrap();
    }
    assert_eq!(server.signal(Signal::TERM).code(), Some(0));
    assert_eq!(json(&["check", target])["sound"], true);
}

#[test]
fn a_backup_goes_only_where_nothing_is() {
    let mut world = World::begin();
    let (data, target) = (world.data(), world.beside("copy"));
    fill(&world.guest());
    let said_of_it = said(&["backup", &data, &target]);
    let first = format!("{data} copied to {target}, and verified\n");
    assert!(said_of_it.starts_with(&first), "{said_of_it}");
    let said_of_it = refusal(&["backup", &data, &target]);
    assert!(said_of_it.contains("not empty") && said_of_it.contains(&target), "{said_of_it}");
    let (others, own) =
        (world.beside("others"), format!("{}/incomplete/own", world.beside("others")));
    fs::create_dir_all(format!("{others}/incomplete")).unwrap();
    fs::write(&own, "not a backup's").unwrap();
    refusal(&["backup", &data, &others]);
    assert!(fs::exists(&own).unwrap(), "what a refused backup finds is left alone");
    assert_ne!(json(&["check", &data])["hub_id"], json(&["check", &target])["hub_id"]);
    // A copy of a hub that is not hosted keeps what was handed over, too.
    world.end(Signal::TERM);
    let target = world.beside("other");
    fs::create_dir(&target).unwrap();
    assert_eq!(json(&["backup", &data, &target])["messages"], 4);
    check_what_is_shown(&target, 1);
}

#[test]
fn the_help_of_each_command_has_examples() {
    let of_streams = ["streams", "declare-stream", "delete-stream", "append", "read"];
    let of_groups = ["groups", "reset-group", "delete-group"];
    let others = ["queues", "inspect", "peek", "purge", "check", "backup"];
    for command in others.into_iter().chain(of_streams).chain(of_groups) {
        let help = said(&[command, "--help"]);
        assert!(help.contains(&format!("Examples:\n  telpher {command} ./data")), "{help}");
    }
    let output = output(&["peek", "./data", "jobs", "--count", "1001"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("1000"), "{}", text(&output.stderr));
}
