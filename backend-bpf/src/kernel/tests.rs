//! Against the running kernel. Without the privilege each test says so, and passes.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::Ordering;

use super::*;
use crate::btf::{Btf, IntEncoding, Member, Type};
use crate::object::tests::{CLANG, function, insn, sample};
use crate::object::{Layout, MapKind, MapSpec, Object, Program as ObjectProgram, Target, read, write};

/// Whether BPF can be used; says so if not.
fn privileged(test: &str) -> bool {
    match Kernel::probe() {
        Ok(kernel) => kernel.version() > KernelVersion { major: 4, minor: 0, patch: 0 },
        Err(reason) => {
            #[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
            {
                eprintln!("SKIPPED {test}: {reason}");
            }
            false
        }
    }
}

fn u64_of(bytes: Option<Vec<u8>>) -> u64 {
    u64::from_le_bytes(bytes.expect("there is a value").try_into().expect("of 8 bytes"))
}

/// An object of one program without maps.
fn single(section: &str, slots: &[[u8; 8]]) -> Object {
    let function = function("only", slots, &[], &[(0, 5, "only()")]);
    let program = ObjectProgram { section: section.into(), function };
    Object { programs: vec![program], license: "GPL".into(), ..Object::default() }
}

#[test]
fn programs_share_a_subprogram_a_map_and_data() {
    if !privileged("programs_share_a_subprogram_a_map_and_data") {
        return;
    }
    let bytes = write(&sample()).expect("well formed");
    let loaded = LoadedObject::load_bytes(&bytes).expect("the verifier takes the sample");
    let run = |name: &str, repeat| {
        let input = RunInput { repeat, ..RunInput::default() };
        loaded.program(name).expect("it is there").test_run(&input).expect("it runs")
    };
    assert_eq!(run("count_a", 1).retval, 2);
    assert_eq!(run("count_b", 10).retval, 2);
    assert_eq!(run("looper", 1).retval, 2);
    let counts = loaded.map("counts").expect("it is there");
    let count = |index: u32| u64_of(counts.lookup(&index.to_le_bytes()).expect("an array has look-up"));
    // `step` is 3; looper calls its callback five times.
    assert_eq!([count(0), count(1), count(2), count(3)], [0, 3, 30, 15]);
    let bss = loaded.map(".bss").expect("it is there");
    assert_eq!(u64_of(bss.lookup(&[0; 4]).expect("an array")), 48);
    let mapped = counts.mmap().expect("it was made for that");
    assert_eq!(mapped.words64()[2].load(Ordering::Relaxed), 30);
    mapped.words64()[2].store(100, Ordering::Relaxed);
    run("count_b", 1);
    assert_eq!((count(2), mapped.len(), mapped.words32().len(), mapped.bytes().len()), (103, 32, 8, 32));
    let rodata = loaded.map(".rodata").expect("it is there");
    let error = rodata.update(&[0; 4], &[0; 16], UpdateMode::Any).expect_err("it is frozen");
    assert_eq!(error.errno(), Some(libc::EPERM));
}

#[test]
fn the_kernel_knows_types_lines_and_numbers() {
    if !privileged("the_kernel_knows_types_lines_and_numbers") {
        return;
    }
    let loaded = LoadedObject::load(&sample()).expect("the verifier takes the sample");
    let program = loaded.program("looper").expect("it is there");
    let info = program.info().expect("the kernel tells");
    assert_ne!(info.btf_id, 0, "libbpf's silent loss of BTF has not happened");
    assert_eq!(info.name, "looper");
    assert_eq!(info.map_ids.len(), 3, "counts, .rodata and .bss are used, queue is not");
    assert!(info.xlated.len() >= 28 * 8 && info.xlated.len().is_multiple_of(8));
    let stats = program.stats().expect("statistics were asked for");
    assert_eq!(stats.stack_depths.len(), 3);
    assert_eq!(u64::from(info.verified_insns), stats.processed);
    assert!(stats.processed >= 28, "{stats:?}");
}

#[test]
fn a_rejection_shows_the_source() {
    if !privileged("a_rejection_shows_the_source") {
        return;
    }
    let mut object = sample();
    // Without the null check the atomic add is on a pointer that may be null.
    let bump = &mut object.subprograms[0];
    bump.code[6 * 8..7 * 8].copy_from_slice(&insn(0xb7, 1, 0, 0, 0));
    let bytes = write(&object).expect("well formed");
    let error = LoadedObject::load_bytes(&bytes).expect_err("the verifier looks");
    let KernelError::Rejected { program, log, .. } = &error else { panic!("{error}") };
    assert_eq!(program, "count_a");
    assert!(log.contains("map_value_or_null"), "{log}");
    assert!(log.contains("counts[i] += step @ demo.go:7"), "{log}");
    assert!(log.contains("bump(i) @ demo.go:20"), "{log}");
    assert_eq!(error.errno(), Some(libc::EACCES));
}

#[test]
fn the_whole_log_is_there_when_asked_for() {
    if !privileged("the_whole_log_is_there_when_asked_for") {
        return;
    }
    let options = LoadOptions { log: LogLevel::Everything, ..LoadOptions::default() };
    let loaded = LoadedObject::load_with(&sample(), options).expect("the verifier takes the sample");
    let log = loaded.program("count_a").expect("it is there").log();
    assert!(log.contains("return XDP_PASS @ demo.go:21"), "{log}");
    assert!(log.contains("processed "), "{log}");
}

#[test]
fn every_kind_of_program_runs_as_it_can() {
    if !privileged("every_kind_of_program_runs_as_it_can") {
        return;
    }
    let pass = [insn(0xb7, 0, 0, 0, 1), insn(0x95, 0, 0, 0, 0)];
    for section in ["xdp", "tc", "classifier", "action", "socket", "cgroup_skb/egress", "cgroup_skb/ingress"]
    {
        let loaded = LoadedObject::load(&single(section, &pass)).expect(section);
        let program = loaded.program("only").expect(section);
        let input = RunInput { data: vec![7; 60], repeat: 3, ..RunInput::default() };
        let run = program.test_run(&input).expect(section);
        assert_eq!((run.retval, run.data_out.len()), (1, 60), "{section}");
        let short = program.test_run(&RunInput { data: vec![0; 13], ..RunInput::default() });
        assert!(matches!(short, Err(KernelError::Size { got: 13, .. })), "{section}");
    }
    for section in ["tracepoint", "perf_event", "kprobe"] {
        let loaded = LoadedObject::load(&single(section, &pass)).expect(section);
        let result = loaded.program("only").expect(section).test_run(&RunInput::default());
        assert!(matches!(result, Err(KernelError::Unsupported { .. })), "{section}");
    }
    let error = LoadedObject::load(&single("nonsense", &pass)).expect_err("no such kind").to_string();
    assert!(error.contains("`nonsense`") && error.contains("cgroup_skb/ingress"), "{error}");
}

#[test]
fn raw_tracepoints_and_syscall_programs_take_their_context() {
    if !privileged("raw_tracepoints_and_syscall_programs_take_their_context") {
        return;
    }
    // r0 = the second argument; exit
    let second = [insn(0x79, 0, 1, 8, 0), insn(0x95, 0, 0, 0, 0)];
    let raw = LoadedObject::load(&single("raw_tp", &second)).expect("loads");
    let ctx = [5u64, 42].map(u64::to_le_bytes).concat();
    let input = RunInput { ctx: Some(ctx.clone()), repeat: 2, ..RunInput::default() };
    assert_eq!(raw.program("only").expect("there").test_run(&input).expect("runs").retval, 42);
    // *(u64 *)(r1 + 0) = 9; r0 = 0; exit
    let store = [insn(0x7a, 1, 0, 0, 9), insn(0xb7, 0, 0, 0, 0), insn(0x95, 0, 0, 0, 0)];
    let syscall = LoadedObject::load(&single("syscall", &store)).expect("loads");
    let run = syscall
        .program("only")
        .expect("there")
        .test_run(&RunInput { ctx: Some(ctx), ..input })
        .expect("runs");
    assert_eq!(run.ctx_out, [9u64, 42].map(u64::to_le_bytes).concat());
}

#[test]
fn maps_of_several_kinds_keep_their_entries() {
    if !privileged("maps_of_several_kinds_keep_their_entries") {
        return;
    }
    let create = |name, kind, max, key, value| {
        Map::create(&MapSpec::new(name, kind, max, key, value), &Btf::new(), None).expect(name)
    };
    let hash = create("hash", MapKind::Hash, 8, Layout::Size(4), Layout::Size(2));
    for key in 0u8..5 {
        hash.update(&[key, 0, 0, 0], &[key, 1], UpdateMode::OnlyNew).expect("new");
    }
    let again = hash.update(&[1, 0, 0, 0], &[0, 0], UpdateMode::OnlyNew).expect_err("it is there");
    assert_eq!(again.errno(), Some(libc::EEXIST));
    assert_eq!(hash.lookup(&[3, 0, 0, 0]).expect("looks"), Some(vec![3, 1]));
    assert_eq!(hash.lookup_and_delete(&[3, 0, 0, 0]).expect("takes"), Some(vec![3, 1]));
    assert_eq!(
        (hash.delete(&[3, 0, 0, 0]).expect("looks"), hash.lookup(&[3, 0, 0, 0]).expect("looks")),
        (false, None)
    );
    assert_eq!(hash.entries().expect("goes through").len(), 4);
    assert!(matches!(hash.lookup(&[3]), Err(KernelError::Size { got: 1, .. })));
    assert!(matches!(hash.mmap(), Err(KernelError::Unsupported { .. })));
    let queue = create("queue", MapKind::Queue, 2, Layout::None, Layout::Size(4));
    queue.update(&[], &[1; 4], UpdateMode::Any).expect("pushes");
    queue.update(&[], &[2; 4], UpdateMode::Any).expect("pushes");
    assert_eq!(queue.update(&[], &[3; 4], UpdateMode::Any).expect_err("full").errno(), Some(libc::E2BIG));
    assert_eq!(queue.lookup(&[]).expect("peeks"), Some(vec![1; 4]));
    assert_eq!(queue.lookup_and_delete(&[]).expect("pops"), Some(vec![1; 4]));
    let percpu = create("percpu", MapKind::PercpuArray, 1, Layout::Size(4), Layout::Size(4));
    let values: Vec<_> = (0..possible_cpus()).map(|cpu| vec![cpu as u8 + 1; 4]).collect();
    percpu.update_per_cpu(&[0; 4], &values, UpdateMode::Any).expect("sets");
    assert_eq!(percpu.lookup_per_cpu(&[0; 4]).expect("looks"), Some(values));
}

#[test]
fn a_spin_lock_needs_the_values_type_and_gets_it() {
    if !privileged("a_spin_lock_needs_the_values_type_and_gets_it") {
        return;
    }
    let mut btf = Btf::new();
    let u32_ = btf.int("unsigned int", 4, IntEncoding::Unsigned);
    let members = vec![Member::new("val", u32_, 0)];
    let lock = btf.add(Type::Struct { name: "bpf_spin_lock".into(), size: 4, members });
    let members = vec![Member::new("lock", lock, 0), Member::new("n", u32_, 4)];
    let value = btf.add(Type::Struct { name: "guarded".into(), size: 8, members });
    let slots = [
        insn(0x62, 10, 0, -4, 0), // *(u32 *)(r10 - 4) = 0
        insn(0xbf, 2, 10, 0, 0),
        insn(0x07, 2, 0, 0, -4),
        insn(0x18, 1, 0, 0, 0),
        insn(0, 0, 0, 0, 0),
        insn(0x85, 0, 0, 0, 1), // bpf_map_lookup_elem
        insn(0x15, 0, 0, 6, 0), // if r0 == 0 goto +6
        insn(0xbf, 6, 0, 0, 0), // r6 = r0
        insn(0xbf, 1, 0, 0, 0),
        insn(0x85, 0, 0, 0, 93), // bpf_spin_lock
        insn(0x62, 6, 0, 4, 77), // *(u32 *)(r6 + 4) = 77
        insn(0xbf, 1, 6, 0, 0),
        insn(0x85, 0, 0, 0, 94), // bpf_spin_unlock
        insn(0xb7, 0, 0, 0, 2),
        insn(0x95, 0, 0, 0, 0),
    ];
    let function = function("locked", &slots, &[(3, Target::Map(0))], &[]);
    let object = Object {
        programs: vec![ObjectProgram { section: "xdp".into(), function }],
        maps: vec![MapSpec::new("guard", MapKind::Array, 1, Layout::Type(u32_), Layout::Type(value))],
        license: "GPL".into(),
        btf,
        ..Object::default()
    };
    let loaded = LoadedObject::load_bytes(&write(&object).expect("well formed")).expect("loads");
    loaded.program("locked").expect("there").test_run(&RunInput::default()).expect("runs");
    let value =
        loaded.map("guard").expect("there").lookup(&[0; 4]).expect("looks").expect("an array's entry");
    assert_eq!(value[4..], [77, 0, 0, 0]);
}

#[test]
fn statistics_count_runs_while_they_are_on() {
    if !privileged("statistics_count_runs_while_they_are_on") {
        return;
    }
    let kernel = Kernel::probe().expect("probed above");
    let guard = kernel.enable_stats().expect("the kernel is newer than 5.8");
    let loaded = LoadedObject::load(&sample()).expect("loads");
    let program = loaded.program("count_a").expect("there");
    program.test_run(&RunInput { repeat: 7, ..RunInput::default() }).expect("runs");
    assert_eq!(program.info().expect("the kernel tells").run_count, 7);
    drop(guard);
}

#[test]
fn an_object_of_clangs_loads_and_runs_also_in_our_form() {
    if !privileged("an_object_of_clangs_loads_and_runs_also_in_our_form") {
        return;
    }
    let ours = write(&read(CLANG).expect("readable")).expect("well formed");
    for bytes in [CLANG, &ours] {
        let loaded = LoadedObject::load_bytes(bytes).expect("the verifier takes it");
        let run =
            |name| loaded.program(name).expect("there").test_run(&RunInput::default()).expect("runs").retval;
        assert_eq!([run("one"), run("two"), run("three")], [2, 2, 6]);
        let seen = loaded.map("seen").expect("there").entries().expect("goes through");
        assert_eq!(seen.len(), 4);
        assert!(seen.iter().all(|(key, value)| value[..4] == key[..] && value[8] == 11));
        let data = loaded.map(".data").expect("there").mmap().expect("it can be mapped");
        assert_eq!(data.words64()[0].swap(1, Ordering::Relaxed), 5);
        assert_eq!(run("one"), 2);
        let bss = loaded.map(".bss").expect("there").lookup(&[0; 4]).expect("looks").expect("there");
        let mut words: Vec<_> = bss.chunks(8).map(|word| word[0]).collect();
        words.sort_unstable();
        // `hidden` counted seven leaves, `total` 5 + 5 + 1.
        assert_eq!(words, [7, 11]);
    }
}

#[test]
fn nothing_is_left_open() {
    if !privileged("nothing_is_left_open") {
        return;
    }
    let object = sample();
    let open = || {
        let loaded = LoadedObject::load(&object).expect("loads");
        loaded.map("counts").expect("there").mmap().expect("maps");
        loaded.program("looper").expect("there").as_fd().as_raw_fd()
    };
    // Descriptors are given out lowest first: leaks would push them up by eight a round. Other tests run beside this.
    let first = open();
    let mut last = first;
    for _ in 0..200 {
        last = open();
    }
    assert!(last < first + 400, "from {first} to {last}");
}
