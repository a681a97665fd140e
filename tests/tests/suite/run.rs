//! Whole channel programs, `tests/cases/run/*.ssa`, in the interpreter at every stage: as written, after each
//! pass of lowering and binding, and in both binding modes. Result, channel contents and counts stay the same.

use std::collections::BTreeMap;

use larrow_ir::{Diagnostic, Module, SiteKind, text};
use larrow_passes::lower::SITES_MAP;
use larrow_passes::{Event, Observer, Outcome};

use crate::case::{Action, Case, Run, verified};
use crate::passes::ends_early;
use crate::registry::{pipeline_options, portable};
use crate::world::{Seen, World, spell_sites};

/// A module after each pass; the last state of those that run once a function.
#[derive(Default)]
pub(crate) struct Stages {
    pub(crate) states: Vec<(String, Module)>,
}

impl Observer for Stages {
    fn start(&mut self, module: &Module, _: &str) {
        self.states.push(("source".to_string(), module.clone()));
    }
    fn after_pass(&mut self, event: &Event<'_>, _: &Outcome) -> Result<(), Vec<Diagnostic>> {
        let name = event.pass.name.to_string();
        if self.states.last().is_some_and(|(last, _)| *last == name) {
            self.states.pop();
        }
        self.states.push((name, event.module.clone()));
        Ok(())
    }
}

/// The stages of a case through lowering and binding, shuffled from a seed.
fn stages(case: &Case, more: &[(&str, &str)], seed: u64) -> Vec<(String, Module)> {
    let mut options = case.options.clone();
    options.extend(more.iter().map(|(k, v)| (k.to_string(), v.to_string())));
    let mut module = case.module.clone();
    let mut seen = Stages::default();
    let pipeline = portable(&options);
    if let Err(failure) = pipeline.run(&mut module, &pipeline_options(&options, seed), &mut [&mut seen]) {
        panic!("{}: {failure}\n{:#?}\n{}", case.name, failure.diagnostics(), text::print(&module));
    }
    seen.states
}

/// Holds what the sites counted to the `SITE` lines: the interpreter's own count, then the map's.
fn check_sites(stage: &str, run: &Run, seen: &Seen, module: &Module, bound: bool) {
    // Before binding the runtime call itself panics and ends the run before its count.
    if bound || !ends_early(&seen.result) {
        let (mut is, mut want) = (spell_sites(module, &seen.sites), run.sites.clone());
        is.sort();
        want.sort();
        assert_eq!(is, want, "line {} after {stage}\n{}", run.line, text::print(module));
    }
}

fn run_case(case: &Case, stages: &[(String, Module)]) {
    let from = |name: &str| stages.iter().position(|(stage, _)| stage == name).expect("a row");
    let (counted, bound) = (from("lower-chan-recv"), from("bind-channels"));
    for run in &case.runs {
        let source = World::new(&stages[0].1, 3).run(run);
        for (number, (stage, module)) in stages.iter().enumerate() {
            let place = format!("{}:{} after {stage}", case.name, run.line);
            let seen = World::new(module, 3).run(run);
            let same_end = number >= bound && ends_early(&seen.result) && ends_early(&run.result);
            if !same_end {
                assert_eq!(seen.result, run.result, "{place}\n{}", text::print(module));
            }
            for (chan, elems) in &run.left {
                let size = World::new(module, 3).elem_size(chan);
                let want: Vec<Vec<u8>> = elems.iter().map(|e| e.bytes(size)).collect();
                assert_eq!(seen.channels[chan].0, want, "{place}: what is left in @{chan}");
            }
            assert_eq!(seen.channels, source.channels, "{place}");
            if number >= counted {
                check_sites(stage, run, &seen, module, number >= bound);
            }
            conserved(&place, run, &seen, module);
        }
    }
}

/// What went in is what came out and what is left, channel by channel, as the map of sites counted it. A site
/// of a channel that is known when the program runs only is left out with its program.
fn conserved(place: &str, run: &Run, seen: &Seen, module: &Module) {
    let hooked = module.decls.maps.id(SITES_MAP).is_some();
    if !hooked || module.decls.sites.values().any(|s| s.chan.is_none() && s.kind != SiteKind::Abort) {
        return;
    }
    let mut flow: BTreeMap<String, i128> = BTreeMap::new();
    for action in &run.before {
        if let Action::Send(chan, elems) = action {
            *flow.entry(chan.clone()).or_default() += elems.len() as i128;
        }
    }
    for site in module.decls.sites.values() {
        let (Some(chan), Some(count)) = (site.chan, seen.sites.get(&*site.name)) else { continue };
        let chan = flow.entry(module.decls.chans.name(chan).to_string()).or_default();
        match site.kind {
            SiteKind::Send => *chan += i128::from(count[0]),
            SiteKind::Recv => *chan -= i128::from(count[0]),
            SiteKind::Abort => {}
        }
    }
    for (chan, left) in flow {
        assert_eq!(left, seen.channels[&chan].0.len() as i128, "{place}: sent − received of @{chan}");
    }
}

#[test]
fn a_program_means_the_same_at_every_stage() {
    let mut failed = Vec::new();
    let mut count = 0;
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/run");
    let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|f| f.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        // One program after the other, so that a run shows every failure.
        if std::panic::catch_unwind(|| check_program(&Case::read(&path))).is_err() {
            failed.push(path);
        }
        count += 1;
    }
    assert!(failed.is_empty(), "{failed:?}");
    assert!(count >= 15, "{count} programs");
}

fn check_program(case: &Case) {
    assert!(!case.runs.is_empty(), "{} runs nothing", case.name);
    for (seed, level) in ["0", "1", "2", "3", "4"].into_iter().enumerate() {
        let stages = stages(case, &[("level", level)], seed as u64);
        // Levels differ from the inliner on: the first sees every stage once, the last the largest functions.
        if level == "0" || level == "4" {
            for (stage, module) in &stages {
                verified(&format!("{} after {stage}", case.name), module);
            }
        }
        run_case(case, &stages);
    }
    for more in [("bind", "direct"), ("required-only", "on")] {
        run_case(case, &stages(case, &[more], 9));
    }
}
