//! The counted sites: their names, their records, and that clones count together.

use larrow_backend_bpf::{TargetOptions, target};
use larrow_ir::{Module, SiteKind, TypeKind};
use larrow_passes::lower::SITES_MAP;
use larrow_passes::{Options, Pipeline};

use crate::case::{Arg, parse_module};
use crate::registry::portable;
use crate::run::Stages;
use crate::world::World;

fn lowered(source: &str) -> Module {
    let mut module = parse_module("sites", source);
    let mut pipeline = Pipeline::default();
    pipeline.extend(larrow_passes::lowering());
    pipeline.run(&mut module, &Options { verify_each: true, ..Options::default() }, &mut []).unwrap();
    module
}

/// Kind, name and channel of each site.
fn sites(module: &Module) -> Vec<(SiteKind, String, Option<String>)> {
    let chan = |c| module.decls.chans.name(c).to_string();
    module.decls.sites.values().map(|s| (s.kind, s.name.to_string(), s.chan.map(chan))).collect()
}

#[test]
fn names_are_unique_and_say_kind_and_place() {
    let module = lowered(
        r#"file "f.go"
chan @c: chan u8 cap 1
func @f(v0: chan u8, v9: u8) {
b0:
    v1 = ChanAddr <chan u8> @c
    v2 = ChanRecv <(u8, bool)> [discard] v1  @8:14
    v3 = ChanRecv <(u8, bool)> [discard] v0  @8:14
    v4: ChanSend v1, v9                      @8:14
    v5 = ChanRecv <(u8, bool)> [discard] v1
    v6 = ChanRecv <(u8, bool)> [discard] v1
    v7 = Select <(i64, bool, u8)> {recv v1, send v1 ← v9}  @9:2
    Ret
}
"#,
    );
    let c = || Some("c".to_string());
    let want = [
        (SiteKind::Recv, "recv@f.go:9:2", c()),
        (SiteKind::Send, "send@f.go:9:2", c()),
        (SiteKind::Send, "send@f.go:8:14", c()),
        (SiteKind::Recv, "recv@f.go:8:14", c()),
        (SiteKind::Recv, "recv@f.go:8:14#2", None),
        (SiteKind::Recv, "recv@f", c()),
        (SiteKind::Recv, "recv@f#2", c()),
    ];
    assert_eq!(sites(&module), want.map(|(kind, name, chan)| (kind, name.to_string(), chan)));
}

#[test]
fn a_module_without_a_file_has_sites_named_by_line() {
    let module = lowered(
        "chan @c: chan u8 cap 1\nfunc @f() {\nb0:\n    v1 = ChanAddr <chan u8> @c\n    \
         v2 = ChanRecv <(u8, bool)> [discard] v1  @8:14\n    Ret\n}\n",
    );
    assert_eq!(sites(&module)[0].1, "recv@8:14");
}

#[test]
fn a_record_is_four_words_and_the_map_has_one_for_each_site() {
    let module = lowered(
        "chan @c: chan u8 cap 1\nfunc @f() {\nb0:\n    v1 = ChanAddr <chan u8> @c\n    \
         v2 = ChanRecv <(u8, bool)> [discard] v1\n    v3 = ChanRecv <(u8, bool)> [discard] v1\n    Ret\n}\n",
    );
    let decls = &module.decls;
    let map = &decls.maps[decls.maps.id(SITES_MAP).unwrap()];
    assert_eq!((decls.types.size(map.key), decls.types.size(map.value), map.max_entries), (4, 32, 2));
    let TypeKind::Struct { fields, .. } = decls.types.resolve(map.value) else { panic!("a struct") };
    let names: Vec<&str> = fields.iter().map(|f| &*f.name).collect();
    assert_eq!(names, ["done", "closed", "blocked", "contended"]);
    assert_eq!(decls.types.field_offsets(map.value).unwrap(), [0, 8, 16, 24]);
    for kind in [SiteKind::Recv, SiteKind::Send] {
        let meant = if kind == SiteKind::Recv {
            ["received", "closed", "empty", "contended"]
        } else {
            ["sent", "closed", "full", "contended"]
        };
        assert_eq!(kind.counters(), meant);
    }
}

const TAKE: &str = r#"file "f.go"
chan @c: chan u32 cap 4

func @f(v0: ptr<ctx xdp>) -> u32 section "xdp" {
b0:
    v1 = Call <u32> @take  @3:2
    v2 = Call <u32> @take  @4:2
    v3 = Add <u32> v1, v2
    Ret v3
}

func @take() -> u32 {
b0:
    v0 = ChanAddr <chan u32> @c
    v1 = ChanRecv <(u32, bool)> [value] v0  @9:7
    v2 = Extract <u32> [0] v1
    Ret v2
}
"#;

#[test]
fn clones_of_the_inliner_count_at_their_one_site() {
    for level in ["0", "1", "2", "3", "4"] {
        let options = vec![("level".to_string(), level.to_string())];
        let mut module = parse_module("take", TAKE);
        let mut stages = Stages::default();
        let run_options = Options::checked(level.parse().unwrap(), 5);
        portable(&options).run(&mut module, &run_options, &mut [&mut stages]).unwrap();
        let mut world = World::new(&module, 0);
        for n in [5u32, 6, 7] {
            assert!(world.send("c", &n.to_le_bytes()));
        }
        assert_eq!(world.call("f", &[Arg::Ctx]), "11", "level {level}");
        assert_eq!(world.sites()["recv@f.go:9:7"], [2, 0, 0, 0], "level {level}");
        assert_eq!(world.call("f", &[Arg::Ctx]), "7", "level {level}");
        assert_eq!(world.sites()["recv@f.go:9:7"], [3, 0, 1, 0], "level {level}");
        world.close("c");
        assert_eq!(world.call("f", &[Arg::Ctx]), "0", "level {level}");
        assert_eq!(world.sites()["recv@f.go:9:7"], [3, 2, 1, 0], "level {level}");
    }
}

#[test]
fn a_clone_for_another_instance_counts_at_the_site_of_the_original() {
    let source = r#"file "f.go"
chan @a: chan u32 cap 4
chan @b: chan u32 cap 8

func @f(v0: ptr<ctx xdp>) -> u32 section "xdp" {
b0:
    v1 = ChanAddr <chan u32> @a
    v2 = ChanAddr <chan u32> @b
    v3 = Call <u32> @take v1
    v4 = Call <u32> @take v2
    v5 = Add <u32> v3, v4
    Ret v5
}

func @take(v0: <-chan u32) -> u32 {
b0:
    v1 = ChanRecv <(u32, bool)> [value] v0  @9:7
    v2 = Extract <u32> [0] v1
    Ret v2
}
"#;
    let mut module = parse_module("instances", source);
    portable(&[]).run(&mut module, &Options::checked(0, 2), &mut []).unwrap();
    let mut world = World::new(&module, 0);
    assert!(world.send("a", &1u32.to_le_bytes()) && world.send("b", &2u32.to_le_bytes()));
    assert_eq!(world.call("f", &[Arg::Ctx]), "3");
    assert_eq!(world.sites()["recv@f.go:9:7"], [2, 0, 0, 0]);
}

#[test]
fn the_object_declares_a_record_for_each_site() {
    let mut module = parse_module("take", TAKE);
    let target = TargetOptions::default();
    let pipeline = target::pipeline(&target);
    let output = target::compile(&mut module, &pipeline, &Options::checked(4, 2), &target, None, &mut []);
    let output = output.unwrap_or_else(|e| panic!("{e:#?}"));
    let map = output.object.maps.iter().find(|m| m.name == SITES_MAP).expect("the map");
    assert_eq!(map.max_entries as usize, module.decls.sites.len());
}
