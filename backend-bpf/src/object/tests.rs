//! An object encoded by hand, and what must hold of its file.

use super::*;
use crate::btf::{IntEncoding, Linkage, Parameter, Type, is_valid_name};

/// One instruction.
pub(crate) fn insn(op: u8, dst: u8, src: u8, off: i16, imm: i32) -> [u8; 8] {
    let mut bytes = [op, src << 4 | dst, 0, 0, 0, 0, 0, 0];
    bytes[2..4].copy_from_slice(&off.to_le_bytes());
    bytes[4..].copy_from_slice(&imm.to_le_bytes());
    bytes
}

/// A function from its slots, with a line for each given slot.
pub(crate) fn function(
    name: &str,
    slots: &[[u8; 8]],
    relocations: &[(u32, Target)],
    lines: &[(u32, u32, &str)],
) -> Function {
    let relocation = |(slot, target): &(u32, Target)| Relocation { offset: slot * 8, target: target.clone() };
    let line = |&(slot, line, text): &(u32, u32, &str)| Line {
        offset: slot * 8,
        file: "demo.go".into(),
        line,
        column: 2,
        text: text.into(),
    };
    Function {
        name: name.into(),
        code: slots.concat(),
        relocations: relocations.iter().map(relocation).collect(),
        lines: lines.iter().map(line).collect(),
        btf: None,
    }
}

const LD: u8 = 0x18;

/// Counts its argument's entry of `counts` up by `step`, and `total` too.
fn bump() -> Function {
    let slots = [
        insn(0x63, 10, 1, -4, 0), // *(u32 *)(r10 - 4) = r1
        insn(0xbf, 2, 10, 0, 0),  // r2 = r10
        insn(0x07, 2, 0, 0, -4),  // r2 += -4
        insn(LD, 1, 0, 0, 0),     // r1 = counts
        insn(0, 0, 0, 0, 0),
        insn(0x85, 0, 0, 0, 1), // call bpf_map_lookup_elem
        insn(0x15, 0, 0, 7, 0), // if r0 == 0 goto +7
        insn(LD, 1, 0, 0, 0),   // r1 = &step
        insn(0, 0, 0, 0, 0),
        insn(0x79, 1, 1, 0, 0), // r1 = *(u64 *)r1
        insn(0xdb, 0, 1, 0, 0), // lock *(u64 *)r0 += r1
        insn(LD, 2, 0, 0, 0),   // r2 = &total
        insn(0, 0, 0, 0, 0),
        insn(0xdb, 2, 1, 0, 0), // lock *(u64 *)r2 += r1
        insn(0xb7, 0, 0, 0, 0), // r0 = 0
        insn(0x95, 0, 0, 0, 0),
    ];
    let step = Target::GlobalData { section: 0, offset: 8 };
    let total = Target::GlobalData { section: 1, offset: 0 };
    let relocations = [(3, Target::Map(0)), (7, step), (11, total)];
    function(
        "runtime.bump.u64",
        &slots,
        &relocations,
        &[(0, 7, "counts[i] += step"), (11, 8, "total += step")],
    )
}

fn each() -> Function {
    let slots =
        [insn(0xb7, 1, 0, 0, 3), insn(0x85, 0, 1, 0, 0), insn(0xb7, 0, 0, 0, 0), insn(0x95, 0, 0, 0, 0)];
    function("each", &slots, &[(1, Target::Subprogram(0))], &[])
}

fn caller(name: &str, index: i32) -> Program {
    let slots =
        [insn(0xb7, 1, 0, 0, index), insn(0x85, 0, 1, 0, 0), insn(0xb7, 0, 0, 0, 2), insn(0x95, 0, 0, 0, 0)];
    let lines = [(0, 20, "bump(i)"), (2, 21, "return XDP_PASS")];
    let function = function(name, &slots, &[(1, Target::Subprogram(0))], &lines);
    Program { section: "xdp".into(), function }
}

/// Calls `each` five times by `bpf_loop`.
fn looper() -> Program {
    let slots = [
        insn(0xb7, 1, 0, 0, 5),
        insn(LD, 2, 0, 0, 0),
        insn(0, 0, 0, 0, 0),
        insn(0xb7, 3, 0, 0, 0),
        insn(0xb7, 4, 0, 0, 0),
        insn(0x85, 0, 0, 0, 181),
        insn(0xb7, 0, 0, 0, 2),
        insn(0x95, 0, 0, 0, 0),
    ];
    let lines = [(3, 30, "for range 5 { each() }")];
    let function = function("looper", &slots, &[(1, Target::FunctionAddress(1))], &lines);
    Program { section: "classifier".into(), function }
}

/// Three programs, two subprograms (one of them a callback), a map, global data and a custom section.
pub(crate) fn sample() -> Object {
    let mut btf = Btf::new();
    let u32_ = btf.int("unsigned int", 4, IntEncoding::Unsigned);
    let u64_ = btf.int("unsigned long long", 8, IntEncoding::Unsigned);
    let mut bump = bump();
    bump.btf = Some(btf.function(&bump.name, Linkage::Static, u64_, vec![Parameter::new("i", u32_)]));
    let counts = MapSpec::new("counts", MapKind::Array, 4, Layout::Type(u32_), Layout::Type(u64_));
    let queue = MapSpec::new("queue", MapKind::Queue, 16, Layout::None, Layout::Size(4));
    let mut rodata = Vec::from(7u64.to_le_bytes());
    rodata.extend(3u64.to_le_bytes());
    let symbol = |name: &str, offset| DataSymbol { name: name.into(), offset, size: 8, btf: Some(u64_) };
    let mut rodata = DataSection::new(".rodata", Contents::ReadOnly(rodata), 8);
    rodata.symbols = vec![symbol("other", 0), symbol("step", 8)];
    let mut bss = DataSection::new(".bss", Contents::Zeroed(8), 8);
    bss.symbols = vec![symbol("total", 0)];
    Object {
        programs: vec![caller("count_a", 1), caller("count_b", 2), looper()],
        subprograms: vec![bump, each()],
        maps: vec![counts.with_flags(MapSpec::MMAPABLE), queue],
        globals: vec![rodata, bss],
        license: "GPL".into(),
        btf,
        custom: vec![CustomSection { name: ".larrow.sites".into(), bytes: b"recv@demo.go:7:2\0".to_vec() }],
        core_relocations: 0,
    }
}

#[test]
fn a_file_read_back_is_what_was_written() {
    let object = sample();
    let bytes = write(&object).expect("the sample is well formed");
    let back = read(&bytes).expect("what was written is readable");
    assert_eq!(back.maps, object.maps);
    assert_eq!(back.globals, object.globals);
    assert_eq!((&back.license, &back.custom), (&object.license, &object.custom));
    assert_eq!(back.programs.len(), 3);
    for (new, old) in back.functions().zip(object.functions()) {
        assert_eq!((&new.name, &new.relocations), (&old.name, &old.relocations));
        assert!(new.btf.is_some(), "{} has a type", new.name);
        assert_eq!(
            new.lines.first().map(|line| line.offset),
            Some(0),
            "{} has a line at its start",
            new.name
        );
        // The slots that relocations do not touch are the same, byte by byte.
        let relocated = |at: usize| old.relocations.iter().any(|r| r.offset as usize == at);
        for at in (0..old.code.len()).step_by(8).filter(|&at| !relocated(at)) {
            assert_eq!(new.code[at..at + 8], old.code[at..at + 8], "{} at {at}", new.name);
        }
    }
    assert_eq!(back.programs[0].function.lines, object.programs[0].function.lines);
    assert_eq!(write(&back).and_then(|bytes| read(&bytes)), Ok(back));
}

#[test]
fn every_function_is_described_or_the_kernel_takes_none() {
    let back = read(&write(&sample()).expect("well formed")).expect("readable");
    let linkage = |function: &Function| match back.btf.get(function.btf.expect("described")) {
        Some(Type::Function { linkage, name, .. }) => {
            assert!(is_valid_name(name));
            *linkage
        }
        other => panic!("not a function: {other:?}"),
    };
    assert!(back.programs.iter().all(|program| linkage(&program.function) == Linkage::Global));
    assert!(back.subprograms.iter().all(|function| linkage(function) == Linkage::Static));
    let Some(Type::DataSection { size, entries, .. }) =
        back.btf.data_section(".maps").and_then(|id| back.btf.get(id))
    else {
        panic!("no .maps in BTF");
    };
    assert_eq!(entries.iter().map(|entry| entry.size).sum::<u32>(), *size);
    assert!(entries.iter().all(|entry| entry.size > 0));
    assert_eq!(back.btf.data_section("license"), None);
}

#[test]
fn linking_appends_what_is_reached_and_nothing_else() {
    let object = sample();
    let direct = link(&object, 0).expect("links");
    let names: Vec<_> = direct.functions.iter().map(|placed| placed.name.as_str()).collect();
    assert_eq!(names, ["count_a", "runtime.bump.u64"]);
    // count_a has four slots; the call in slot 1 goes two slots past the one after it.
    assert_eq!(direct.code[8..16], insn(0x85, 0, 1, 0, 2));
    let callback = link(&object, 2).expect("links");
    let names: Vec<_> = callback.functions.iter().map(|placed| placed.name.as_str()).collect();
    assert_eq!(names, ["looper", "each", "runtime.bump.u64"]);
    assert_eq!(callback.code[8..16], insn(LD, 2, 4, 0, 6));
    assert_eq!(callback.relocations.len(), 3);
    let map = &callback.relocations[0];
    assert_eq!((map.offset, &map.target), (8 * (8 + 4 + 3), &Target::Map(0)));
    let step = callback.lines.iter().find(|line| line.line == 7).expect("the callee's lines came along");
    assert_eq!(step.offset, 8 * (8 + 4));
    assert!(link(&object, 3).is_err());
}

#[test]
fn what_a_producer_can_get_wrong_is_named() {
    type Damage = fn(&mut Object);
    let cases: &[(Damage, &str)] = &[
        (|o| o.subprograms[0].relocations[0].target = Target::Map(9), "there is no Map(9)"),
        (|o| o.subprograms[0].relocations[0].offset = 8, "cannot hold a relocation"),
        (|o| o.subprograms[0].relocations[0].offset = 32, "at no instruction"),
        (|o| o.subprograms[0].relocations.swap(0, 1), "out of order"),
        (|o| o.programs[0].function.relocations.clear(), "without a relocation"),
        (|o| o.programs[0].function.lines[1].offset = 3, "a line here is out of order"),
        (|o| o.programs[0].function.code.truncate(5), "no whole number"),
        (|o| o.programs[2].function.code.truncate(16), "ends inside an instruction"),
        (|o| o.programs[1].function.name = "count_a".into(), "defined twice"),
        (|o| o.programs[1].function.name = "chan<u32>".into(), "`chan<u32>`"),
        (|o| o.programs[1].section = ".text".into(), "something else"),
        (|o| o.globals[1].contents = Contents::Zeroed(4), "ends at byte 8 of 4"),
        (|o| o.globals[1].name = ".data".into(), "`.bss`"),
        (|o| o.custom[0].name = ".maps".into(), "taken"),
        (|o| o.maps[0].value = Layout::Type(TypeId::VOID), "no size"),
        (|o| o.subprograms[0].btf = Some(TypeId(1)), "is no function"),
        (
            |o| o.programs[0].function.relocations[0].target = Target::Extern("bpf_throw".into()),
            "`bpf_throw` is defined outside",
        ),
    ];
    for (damage, expected) in cases {
        let mut object = sample();
        damage(&mut object);
        let error = write(&object).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    }
}

#[test]
fn a_truncated_file_is_an_error_or_a_shorter_object_but_no_panic() {
    let bytes = write(&sample()).expect("well formed");
    for len in 0..bytes.len() {
        assert!(read(&bytes[..len]).is_err(), "{len} of {} bytes", bytes.len());
    }
    assert!(read(b"\x7fELF\x02\x01\x01").is_err());
}

/// Damages a file in a few random bytes, many times over; gives how many of the results were refused.
fn flip(bytes: &[u8], rounds: u32) -> u32 {
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut refused = 0;
    for _ in 0..rounds {
        let mut damaged = bytes.to_vec();
        for _ in 0..1 + random() % 4 {
            let at = random() as usize % damaged.len();
            damaged[at] = random() as u8;
        }
        match read(&damaged) {
            Ok(object) => {
                // Whatever can be read can be linked and written, or refused.
                let _ = link(&object, 0);
                let _ = write(&object);
            }
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().is_empty());
            }
        }
    }
    refused
}

#[test]
fn flipped_bytes_never_panic() {
    let bytes = write(&sample()).expect("well formed");
    let refused = flip(&bytes, 20_000);
    assert!(refused > 1000, "{refused} of 20000 refused");
    let refused = flip(CLANG, 20_000);
    assert!(refused > 1000, "{refused} of 20000 refused");
}

#[test]
fn files_for_other_machines_are_named() {
    let mut bytes = write(&sample()).expect("well formed");
    bytes[18] = 62;
    let error = read(&bytes).expect_err("x86-64").to_string();
    assert!(error.contains("machine is 62"), "{error}");
}

/// What clang 19 makes of `testdata/clang.c`.
pub(crate) const CLANG: &[u8] = include_bytes!("testdata/clang.o");

#[test]
fn an_object_of_clangs_is_understood() {
    let object = read(CLANG).expect("clang's objects are readable");
    let names =
        |functions: &[&Function]| functions.iter().map(|f| f.name.clone()).collect::<Vec<_>>().join(" ");
    let programs: Vec<_> = object.programs.iter().map(|program| &program.function).collect();
    assert_eq!(names(&programs), "one two three");
    assert_eq!(names(&object.subprograms.iter().collect::<Vec<_>>()), "visible leaf callback");
    assert_eq!(object.programs[2].section, "tc");
    let [seen, ring] = &object.maps[..] else { panic!("two maps: {:?}", object.maps) };
    assert_eq!((seen.name.as_str(), seen.kind, seen.max_entries), ("seen", MapKind::Hash, 8));
    assert_eq!((seen.key.size(&object.btf), seen.value.size(&object.btf)), (Ok(4), Ok(16)));
    assert_eq!((ring.kind, ring.max_entries, ring.key), (MapKind::Ringbuf, 4096, Layout::None));
    let targets = |name: &str| {
        let function = object.functions().find(|f| f.name == name).expect("it is there");
        function.relocations.iter().map(|r| r.target.clone()).collect::<Vec<_>>()
    };
    assert_eq!(targets("one"), [Target::Subprogram(0)]);
    assert_eq!(targets("two"), [Target::Subprogram(1)]);
    assert_eq!(targets("three"), [Target::FunctionAddress(2), Target::Subprogram(0)]);
    // clang itself resolves calls within .text.
    assert!(targets("callback").contains(&Target::Subprogram(1)));
    assert!(targets("leaf").contains(&Target::Map(0)));
    for name in ["total", "hidden", "step", "limit"] {
        let mut symbols = object.globals.iter().flat_map(|section| &section.symbols);
        let symbol = symbols.find(|symbol| symbol.name == name).expect(name);
        assert!((symbol.size, symbol.btf.is_some()) == (8, true), "{symbol:?}");
    }
    let line = &object.programs[1].function.lines[0];
    assert!(line.file.ends_with("clang.c") && line.line > 30 && !line.text.is_empty(), "{line:?}");
    // Our own form of it says the same.
    let again = read(&write(&object).expect("well formed")).expect("readable");
    for (new, old) in again.functions().zip(object.functions()) {
        assert_eq!((&new.relocations, &new.lines), (&old.relocations, &old.lines), "{}", old.name);
    }
    for len in 0..CLANG.len() {
        assert!(read(&CLANG[..len]).is_err(), "{len} bytes");
    }
}
