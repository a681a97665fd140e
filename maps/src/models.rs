//! Random operations on tables, side by side with the simplest thing that could be right; and what needs more
//! than two entries to show.

use crate::hash::LIMBO_MIN;
use crate::rng::Rng;
use crate::*;

fn table(kind: MapKind, key_size: u32, max_entries: u32) -> Map {
    let def = MapDef { name: "t".into(), kind, key_size, value_size: 8, max_entries, flags: 0 };
    Map::new(def, 1).expect("the definition is right")
}

/// A list of (key, value): by insertion, and for an LRU table with the moment of last use.
struct Model {
    kind: MapKind,
    max_entries: usize,
    clock: u64,
    elements: Vec<(Vec<u8>, u64, u64)>,
}

impl Model {
    fn find(&mut self, key: &[u8]) -> Option<&mut (Vec<u8>, u64, u64)> {
        self.elements.iter_mut().find(|element| element.0 == key)
    }

    fn lookup(&mut self, key: &[u8]) -> Option<u64> {
        self.clock += 1;
        let now = self.clock;
        self.find(key).map(|element| {
            element.2 = now;
            element.1
        })
    }

    fn update(&mut self, key: &[u8], value: u64, flags: u64) -> i32 {
        self.clock += 1;
        let now = self.clock;
        if let Some(element) = self.find(key) {
            if flags == BPF_NOEXIST {
                return 17;
            }
            (element.1, element.2) = (value, now);
            return 0;
        }
        if flags == BPF_EXIST {
            return 2;
        }
        if self.elements.len() == self.max_entries {
            if !self.kind.is_lru() {
                return 7;
            }
            let oldest = self.elements.iter().map(|element| element.2).min();
            self.elements.retain(|element| Some(element.2) != oldest);
        }
        self.elements.push((key.to_vec(), value, now));
        0
    }

    fn delete(&mut self, key: &[u8]) -> i32 {
        let before = self.elements.len();
        self.elements.retain(|element| element.0 != key);
        if self.elements.len() < before { 0 } else { 2 }
    }
}

fn keys(map: &mut Map) -> Vec<Vec<u8>> {
    let user = map.syscall();
    std::iter::successors(user.next_key(None).ok(), |key| user.next_key(Some(key)).ok()).collect()
}

fn run_against_model(kind: MapKind, key_size: usize, max_entries: u32, seed: u64) {
    let mut map = table(kind, key_size as u32, max_entries);
    let mut model = Model { kind, max_entries: max_entries as usize, clock: 0, elements: Vec::new() };
    let mut rng = Rng::new(seed);
    for step in 0..4000u64 {
        let mut key = vec![0; key_size];
        key[key_size - 1] = rng.below(u64::from(max_entries) * 2) as u8;
        let code = |result: Result<(), MapError>| result.map_or_else(|error| error.errno(), |()| 0);
        match rng.below(8) {
            0..4 => {
                let flags = rng.below(3);
                let got = code(map.update(&key, &step.to_le_bytes(), flags, 0));
                assert_eq!(got, model.update(&key, step, flags), "{kind} step {step}");
            }
            4 => assert_eq!(code(map.delete(&key)), model.delete(&key), "{kind} step {step}"),
            5 if rng.below(16) == 0 => map.quiesce(),
            _ => {
                let id = map.lookup(&key, 0).unwrap();
                let got = id.map(|id| u64::from_le_bytes(map.value(id).unwrap().try_into().unwrap()));
                assert_eq!(got, model.lookup(&key), "{kind} step {step}");
            }
        }
        assert_eq!(map.len() as usize, model.elements.len());
        if step % 64 == 0 {
            let expected: Vec<Vec<u8>> = model.elements.iter().map(|element| element.0.clone()).collect();
            assert_eq!(keys(&mut map), expected, "{kind} step {step}: keys in order of insertion");
        }
    }
}

#[test]
fn tables_agree_with_a_naive_model() {
    let kinds = [MapKind::Hash, MapKind::PercpuHash, MapKind::LruHash, MapKind::LruPercpuHash];
    for kind in kinds {
        for (seed, max_entries) in [(1, 1), (2, 2), (3, 7), (4, 64), (5, 100)] {
            for key_size in [1, 4, 8, 13] {
                run_against_model(kind, key_size, max_entries, seed * 977 + key_size as u64);
            }
        }
    }
}

#[test]
fn a_lookup_by_a_program_saves_from_eviction_and_one_by_user_space_does_not() {
    let mut map = table(MapKind::LruHash, 1, 3);
    for key in 0..3 {
        map.update(&[key], &[key; 8], 0, 0).unwrap();
    }
    map.lookup(&[0], 0).unwrap().expect("present");
    map.syscall().lookup(&[1], 0).unwrap();
    map.update(&[3], &[3; 8], 0, 0).unwrap();
    assert_eq!(keys(&mut map), [[0], [2], [3]]);
}

#[test]
fn retired_values_stay_until_no_program_runs() {
    // Twice the room that is needed, so that limbo itself never lets one go.
    let mut map = table(MapKind::Hash, 4, 2000);
    let held: Vec<ValueId> = (0..1000u32)
        .map(|key| {
            map.update(&key.to_le_bytes(), &u64::from(key).to_le_bytes(), 0, 0).unwrap();
            map.lookup(&key.to_le_bytes(), 0).unwrap().expect("just inserted")
        })
        .collect();
    for key in 0..1000u32 {
        map.delete(&key.to_le_bytes()).unwrap();
        map.update(&(key + 5000).to_le_bytes(), &[0xff; 8], 0, 0).unwrap();
    }
    for (key, &id) in held.iter().enumerate() {
        assert_eq!(map.value(id), Some(&(key as u64).to_le_bytes()[..]));
    }
    map.quiesce();
    map.update(&1u32.to_le_bytes(), &[1; 8], 0, 0).unwrap();
    let id = map.lookup(&1u32.to_le_bytes(), 0).unwrap().expect("just inserted");
    assert!(held.contains(&id), "memory is used again after the run");
}

#[test]
fn memory_used_again_shows_nothing_of_its_past() {
    let kind = MapKind::PercpuHash;
    let def = MapDef { name: "p".into(), kind, key_size: 1, value_size: 8, max_entries: 1, flags: 0 };
    let mut map = Map::new(def, 2).unwrap();
    map.syscall().update(&[0], &[0xff; 16], 0).unwrap();
    map.delete(&[0]).unwrap();
    map.quiesce();
    map.update(&[1], &[1; 8], 0, 0).unwrap();
    assert_eq!(map.syscall().lookup(&[1], 0).unwrap(), [[1; 8], [0; 8]].concat());
}

#[test]
fn a_run_that_never_ends_takes_bounded_memory() {
    let mut map = table(MapKind::LruHash, 4, 10);
    let mut highest = 0;
    for key in 0..100_000u32 {
        map.update(&key.to_le_bytes(), &[0; 8], 0, 0).unwrap();
        let id = map.lookup(&key.to_le_bytes(), 0).unwrap().expect("just inserted");
        highest = highest.max(id.index());
    }
    assert!(highest as usize <= 10 + LIMBO_MIN + 1, "{highest}");
}

#[test]
fn direct_values_are_for_arrays_of_one() {
    let array = table(MapKind::Array, 4, 1);
    let id = array.direct_value().unwrap();
    assert_eq!(array.value(id), Some(&[0; 8][..]));
    assert_eq!(table(MapKind::Array, 4, 2).direct_value().unwrap_err().errno(), 524);
    assert_eq!(table(MapKind::Hash, 4, 1).direct_value().unwrap_err().errno(), 22);
}

#[test]
fn sizes_are_checked_and_strange_ids_are_none() {
    let mut map = table(MapKind::Hash, 4, 1);
    assert_eq!(map.lookup(&[0; 3], 0), Err(MapError::KeySize { expected: 4, got: 3 }));
    assert_eq!(map.update(&[0; 4], &[0; 9], 0, 0), Err(MapError::ValueSize { expected: 8, got: 9 }));
    assert_eq!(map.syscall().next_key(Some(&[])), Err(MapError::KeySize { expected: 4, got: 0 }));
    assert_eq!(map.pop(&mut [0; 8]).unwrap_err().errno(), 22);
    assert_eq!(map.value(ValueId::from_index(u32::MAX)), None);
    assert_eq!(map.value_mut(ValueId::from_index(0)), None);
}

#[test]
fn too_much_memory_is_an_error() {
    let kind = MapKind::Array;
    let def = MapDef { name: "a".into(), kind, key_size: 4, value_size: 8, max_entries: u32::MAX, flags: 0 };
    let error = Map::new(def.clone(), 1).unwrap_err();
    assert_eq!((error.problem.errno(), error.map.as_str()), (12, "a"));
    assert_eq!(Map::new(MapDef { max_entries: 1, ..def }, 0).unwrap_err().problem, DefProblem::NoCpus);
    let huge = MapDef {
        name: "h".into(),
        kind: MapKind::PercpuHash,
        key_size: 4,
        value_size: 32768,
        max_entries: 1,
        flags: 0,
    };
    assert_eq!(Map::new(huge, u32::MAX).unwrap_err().problem.errno(), 12);
}
