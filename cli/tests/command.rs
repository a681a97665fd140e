//! The command from end to end: what it prints, where, and its exit codes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use larrow as _;

/// A folder of the repository's examples.
fn example(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name).display().to_string()
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larrow"));
    command.args(args).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").stdin(Stdio::null());
    command
}

fn larrow(args: &[&str]) -> Output {
    command(args).output().expect("the command starts")
}

fn piped(args: &[&str], input: &[u8]) -> Output {
    let mut child = command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    // The command may end without reading all of it.
    let _ = child.stdin.take().expect("it is piped").write_all(input);
    child.wait_with_output().expect("the command ends")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

/// A folder of a test's own, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("larrow-{}-{test}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder can be made");
        Folder(path)
    }
    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
    fn file(&self, name: &str, contents: &[u8]) -> String {
        fs::write(self.0.join(name), contents).expect("a file can be written");
        self.path(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn an_object_is_written_whole_and_can_be_read_back() {
    let folder = Folder::new("object");
    let object = folder.path("filter.o");
    let made = larrow(&["compile", &example("port_filter"), "-l", "4", "-o", &object]);
    assert_eq!(made.status.code(), Some(0), "{}", err(&made));
    assert_eq!(out(&made), "");
    assert!(err(&made).contains("@filter in \"xdp\""), "{}", err(&made));
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
    let shown = out(&larrow(&["disasm", &object]));
    assert!(shown.starts_with("filter  section \"xdp\""), "{shown}");
    for part in ["<ports>", "<map_lookup_elem>", "port_filter.go:8:", "exit"] {
        assert!(shown.contains(part), "{part} in\n{shown}");
    }
    let llvm = out(&larrow(&["compile", &example("port_filter"), "--emit", "llvm", "--validate"]));
    assert!(llvm.contains("target triple = \"bpf\""), "{llvm}");
    let level0 = out(&larrow(&["compile", &example("port_filter"), "-l=0", "--emit", "asm"]));
    assert!(level0.contains("<runtime.chanrecv2.u16.8>"), "{level0}");
}

#[test]
fn standard_input_and_output_are_a_dash() {
    let text = fs::read(example("port_filter.ssa")).unwrap();
    let made = piped(&["compile", "-", "-o", "-"], &text);
    assert_eq!(made.status.code(), Some(0));
    assert!(made.stdout.starts_with(b"\x7fELF"));
    let shown = piped(&["disasm", "-", "--no-bytes"], &made.stdout);
    assert!(out(&shown).contains("exit"), "{}", err(&shown));
    assert_eq!(piped(&["compile", "-"], &text).status.code(), Some(2));
}

#[test]
fn the_same_program_gives_the_same_bytes() {
    for args in [
        &["inspect", "--no-timing"][..],
        &["inspect", "--no-timing", "--format", "json"],
        &["inspect", "--no-timing", "--full"],
        &["compile", "--emit", "asm"],
        &["compile", "-o", "-"],
    ] {
        let example = example("select_default");
        let args: Vec<&str> = args.iter().copied().chain([example.as_str()]).collect();
        let (first, second) = (larrow(&args), larrow(&args));
        assert_eq!(first.status.code(), Some(0), "{}", err(&first));
        assert_eq!(first.stdout, second.stdout);
        assert!(!first.stdout.is_empty());
    }
}

#[test]
fn inspection_shows_what_changed_and_what_to_look_at_next() {
    let shown = out(&larrow(&["inspect", &example("port_filter"), "--verify-each"]));
    for part in [
        "verified each",
        "Δval",
        "── lower-chan-recv ── port_filter.go:8",
        "+ v20 = CallRuntime <bool> [chanrecv2]",
        "peephole",
        "next: --pass",
    ] {
        let part = part.strip_prefix("── ").unwrap_or(part);
        assert!(shown.contains(part), "{part} in\n{shown}");
    }
    let one = out(&larrow(&["inspect", &example("port_filter"), "--pass", "lower-chan-recv"]));
    assert!(one.contains("1 pass, 1 changed") && !one.contains("inline"), "{one}");
    let lines = out(&larrow(&["inspect", &example("port_filter"), "--format", "json"]));
    for line in lines.lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
        assert!(value.is_object());
    }
    assert!(lines.starts_with('{') && lines.lines().next().unwrap().contains("\"schema\""));
}

#[test]
fn every_example_does_the_same_after_every_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut examples = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "ssa") {
            continue;
        }
        examples += 1;
        for level in ["-l0", "-l2", "-l4"] {
            let path = path.display().to_string();
            let shown = larrow(&["inspect", &path, level, "--validate", "--verify-each"]);
            assert_eq!(shown.status.code(), Some(0), "{path} {level}: {}", err(&shown));
            assert!(out(&shown).contains("verified each, run after each"), "{}", out(&shown));
        }
    }
    assert!(examples >= 4);
}

#[test]
fn a_run_shows_results_channels_and_counts() {
    let send = ["--send", "ports=22,23,24,25,26,27,28,29,30", "--repeat", "2"];
    let example = example("port_filter");
    let args: Vec<&str> = ["run", example.as_str()].into_iter().chain(send).collect();
    let shown = out(&larrow(&args));
    assert!(shown.contains("returned  1 (XDP_DROP) ×2"), "{shown}");
    assert!(shown.contains("open, 6 waiting: 24 25 26 27 28 29 (1 did not fit)"), "{shown}");
    let counted = out(&larrow(&[&args[..], &["-l", "2"]].concat()));
    assert!(counted.contains("received 2 · closed 0 · empty 0"), "{counted}");
    let json = out(&larrow(&[&args[..], &["--format", "json"]].concat()));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["returned"], 1);
    assert_eq!(json["channels"]["ports"]["refused"], 1);
    let kernel = larrow(&[&args[..], &["--engine", "kernel"]].concat());
    match kernel.status.code() {
        Some(0) => assert!(out(&kernel).contains("open, 6 waiting: 24 25"), "{}", out(&kernel)),
        code => assert!(code == Some(1) && err(&kernel).contains("not available"), "{}", err(&kernel)),
    }
}

#[test]
fn a_comparison_says_how_far_it_goes() {
    let args = ["compare", &example("port_filter"), "--no-kernel", "--random", "20"];
    let shown = larrow(&args);
    assert_eq!(shown.status.code(), Some(0), "{}", out(&shown));
    let shown = out(&shown);
    for part in
        ["-l=0", "-l=4", "calls to runtime.*", "TESTED 21 inputs (seed 42), not proved", "not checked"]
    {
        assert!(shown.contains(part), "{part} in\n{shown}");
    }
    let json = out(&larrow(&[&args[..], &["--format", "json"]].concat()));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["claim"], &json["inputs"]), (&"tested".into(), &21.into()));
    assert_eq!(json["levels"][1]["interpreter"]["same"], true);
}

#[test]
fn misspelt_names_are_the_callers_mistake_and_get_a_tip() {
    let example = example("port_filter");
    for (args, tip) in [
        (&["inspect", "--pass", "deadcod"][..], "`deadcode`"),
        (&["inspect", "--pass", "inlin..peephole"], "`inline`"),
        (&["inspect", "--func", "fliter"], "`filter`"),
        (&["run", "--func", "fliter"], "`filter`"),
        (&["run", "--send", "port=1"], "`ports`"),
        (&["run", "--recv", "port"], "`ports`"),
        (&["compile", "--without", "cs", "-o", "-"], "`cse`"),
        (&["run", "--engin", "kernel"], "'--engine'"),
    ] {
        let args: Vec<&str> = args.iter().copied().chain([example.as_str()]).collect();
        let failed = larrow(&args);
        assert_eq!(failed.status.code(), Some(2), "{args:?}: {}", err(&failed));
        assert!(err(&failed).contains(tip), "{args:?}: {}", err(&failed));
        assert_eq!(out(&failed), "");
    }
    for args in [&["compile", "-l", "5"][..], &["compile", "--mcpu", "v9"], &["compile", "--kernel", "six"]] {
        let args: Vec<&str> = args.iter().copied().chain([example.as_str()]).collect();
        assert_eq!(larrow(&args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn what_cannot_be_read_is_a_plain_error() {
    let folder = Folder::new("unreadable");
    let example = fs::read(example("port_filter.ssa")).unwrap();
    let mut noise = vec![0u8; 4 << 20];
    let mut state = 1u32;
    for byte in &mut noise {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (state >> 24) as u8;
    }
    let long = "x".repeat(4 << 20);
    let cases = [
        (folder.file("empty.ssa", b" \n"), "is empty"),
        (folder.file("bytes.ssa", b"func \xff\xfe"), "not UTF-8"),
        (folder.file("noise.ssa", &noise), "error: "),
        (folder.file("long.ssa", long.as_bytes()), "starts no declaration"),
        (folder.file("cut.ssa", &example[..900]), "no closing brace"),
        (folder.file("none.ssa", b"file \"x.go\"\n"), "holds no function"),
        (folder.file("main.go", b"package main"), "Go source is not read yet"),
        (folder.path(""), "is a directory"),
        (folder.path("nothing.ssa"), "no such file"),
    ];
    for (path, expected) in cases {
        for command in ["compile", "run", "inspect", "compare"] {
            let failed = larrow(&[command, &path]);
            assert_eq!(failed.status.code(), Some(1), "{command} {path}: {}", err(&failed));
            assert!(err(&failed).contains(expected), "{command} {path}: {}", err(&failed));
            assert!(err(&failed).len() < 20_000, "{command} {path}");
        }
    }
    assert_eq!(larrow(&["disasm", &folder.file("x.o", b"\x7fELF")]).status.code(), Some(1));
}

#[test]
fn several_errors_are_shown_in_one_run_each_under_its_line() {
    let folder = Folder::new("several");
    let text = "func @f(v0: u32) -> u32 section \"xdp\" {\nb0:\n    v1 = Addd <u32> v0, v0\n    v2 = Foo <u32> v0\n    Ret v1\n}\n";
    let failed = larrow(&["compile", &folder.file("two.ssa", text.as_bytes())]);
    assert_eq!(failed.status.code(), Some(1));
    let shown = err(&failed);
    assert!(shown.contains("two.ssa:3:10") && shown.contains("did you mean `Add`?"), "{shown}");
    assert!(shown.contains("two.ssa:4:10") && shown.ends_with("2 errors\n"), "{shown}");
}

#[test]
fn an_error_of_a_pass_is_shown_in_the_text_and_names_the_source() {
    let failed = larrow(&["compile", &example("port_filter"), "--would-block", "reject", "-o", "-"]);
    assert_eq!((failed.status.code(), out(&failed)), (Some(1), String::new()));
    let shown = err(&failed);
    assert!(shown.contains("v2 = ChanRecv"), "{shown}");
    assert!(shown.contains("in the source at port_filter.go:8:14"), "{shown}");
    assert!(shown.contains("help: "), "{shown}");
}

#[test]
fn colours_are_for_terminals_and_for_those_who_ask() {
    let coloured = |output: Output| output.stdout.contains(&0x1b);
    assert!(!coloured(larrow(&["passes"])));
    assert!(coloured(larrow(&["passes", "--color", "always"])));
    assert!(!coloured(larrow(&["passes", "--color", "never"])));
    let asked_not_to = command(&["passes"]).env("NO_COLOR", "1").env("CLICOLOR_FORCE", "0").output().unwrap();
    assert!(!coloured(asked_not_to));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = command(&["inspect", &example("select_default"), "--full"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), err(&ended)), (Some(0), String::new()));
}

#[test]
fn help_passes_and_completions_go_to_standard_output() {
    for args in
        [&["--help"][..], &["--version"], &["passes"], &["completions", "bash"], &["compile", "--help"]]
    {
        let shown = larrow(args);
        assert_eq!(shown.status.code(), Some(0));
        assert!(!shown.stdout.is_empty() && shown.stderr.is_empty(), "{args:?}");
    }
    assert!(out(&larrow(&["passes"])).contains("lower-chan-recv"));
}
