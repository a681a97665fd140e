//! Every generated module is valid, reads back as printed, and together they hold everything.

use crate::text::{parse, print};
use crate::{Module, verify};

use super::{Coverage, Profile, generate};

fn check(seed: u64, name: &str, profile: &Profile) -> Module {
    let module = generate(seed, profile);
    if let Err(errors) = verify(&module) {
        panic!("{name} {seed}: {:#?}\n{}", errors, print(&module));
    }
    let text = print(&module);
    let parsed = parse("gen.ssa", &text).unwrap_or_else(|e| panic!("{name} {seed}: {e:#?}\n{text}"));
    assert!(parsed.module == module, "{name} {seed}\n{text}");
    assert_eq!(print(&parsed.module), text, "{name} {seed}");
    module
}

#[test]
fn two_thousand_modules_are_valid_and_read_back() {
    let mut all = Coverage::default();
    let profiles = [("bpf", Profile::bpf()), ("full", Profile::full()), ("source", Profile::source())];
    for seed in 0..2000 {
        let (name, profile) = &profiles[seed as usize % profiles.len()];
        all.add(&check(seed, name, profile));
    }
    assert!(all.missing_ops().is_empty(), "{:?}\n{all}", all.missing_ops());
    assert!(all.missing_shapes().is_empty(), "{:?}\n{all}", all.missing_shapes());
}
