//! The kernel's answers, kind by kind, operation by operation, flag by flag, as measured on Linux 6.18 (x86-64,
//! two CPUs) with maps of two entries, four-byte keys and eight-byte values.

use crate::*;
use MapKind::*;

const CPUS: u32 = 2;
const ABSENT: u32 = 9;

fn key(number: u32) -> [u8; 4] {
    number.to_le_bytes()
}

/// A map of two entries; key `i`, for each in `fill`, has the value `100 + i` (on all CPUs).
fn filled(kind: MapKind, flags: u32, fill: u32) -> Map {
    let key_size = if kind.is_queue() { 0 } else { 4 };
    let def = MapDef { name: kind.to_string(), kind, key_size, value_size: 8, max_entries: 2, flags };
    let mut map = Map::new(def, CPUS).expect("the definition is right");
    for number in 0..fill {
        map.syscall().update(user_key(kind, &key(number)), &user_value(kind, 100 + number), 0).unwrap();
    }
    map
}

fn user_key(kind: MapKind, key: &[u8; 4]) -> &[u8] {
    if kind.is_queue() { &[] } else { key }
}

fn value(number: u32) -> [u8; 8] {
    u64::from(number).to_le_bytes()
}

fn user_value(kind: MapKind, number: u32) -> Vec<u8> {
    value(number).repeat(if kind.is_percpu() { 2 } else { 1 })
}

fn code<T>(result: Result<T, MapError>) -> i32 {
    result.map_or_else(|error| -error.errno(), |_| 0)
}

/// The flags tried in each row.
const FLAGS: [u64; 11] = [0, 1, 2, 3, 4, 5, 6, 8, 1 << 31, 1 << 32, 1 << 63];

/// A row: how many elements are there, the key, the answers to ANY, NOEXIST and EXIST; every other flag of
/// `FLAGS` gave EINVAL.
type Row = (u32, u32, [i32; 3]);

const HASH: &[Row] = &[
    (0, 0, [0, 0, -2]),
    (0, ABSENT, [0, 0, -2]),
    (1, 0, [0, -17, 0]),
    (1, 1, [0, 0, -2]),
    (2, 0, [0, -17, 0]),
    (2, 1, [0, -17, 0]),
    (2, ABSENT, [-7, -7, -2]),
];
/// Without the kernel's row for the oldest key of a full table, [0, 0, -2]: there it evicts that very key before
/// it looks for it. Ours answers as for a plain hash.
const LRU: &[Row] = &[
    (0, 0, [0, 0, -2]),
    (0, ABSENT, [0, 0, -2]),
    (1, 0, [0, -17, 0]),
    (1, 1, [0, 0, -2]),
    (2, 1, [0, -17, 0]),
    (2, ABSENT, [0, 0, -2]),
];
const ARRAY: &[Row] = &[(0, 0, [0, -17, 0]), (2, 1, [0, -17, 0]), (2, ABSENT, [-7, -7, -7])];
const QUEUE: &[Row] = &[(0, 0, [0, -22, 0]), (1, 0, [0, -22, 0]), (2, 0, [-7, -22, 0])];

fn rows(kind: MapKind) -> &'static [Row] {
    match kind {
        Hash | PercpuHash => HASH,
        LruHash | LruPercpuHash => LRU,
        Array | PercpuArray => ARRAY,
        Queue | Stack => QUEUE,
    }
}

#[test]
fn updates_by_user_space() {
    for &kind in MapKind::ALL {
        for &(fill, number, expected) in rows(kind) {
            for (at, flags) in FLAGS.into_iter().enumerate() {
                let mut map = filled(kind, 0, fill);
                let key = key(number);
                let got = map.syscall().update(user_key(kind, &key), &user_value(kind, 7), flags);
                let expected = expected.get(at).copied().unwrap_or(-22);
                assert_eq!(code(got), expected, "{kind} with {fill}, key {number}, flags {flags:#x}");
            }
        }
    }
}

#[test]
fn updates_and_pushes_by_a_program() {
    for &kind in MapKind::ALL {
        for &(fill, number, expected) in rows(kind) {
            for (at, flags) in FLAGS.into_iter().chain([u64::MAX]).enumerate() {
                let mut map = filled(kind, 0, fill);
                let got = match kind.is_queue() {
                    true => map.push(&value(7), flags),
                    false => map.update(&key(number), &value(7), flags, 1),
                };
                let expected = match (kind, flags) {
                    // An array looks at the range and at NOEXIST before it refuses the lock.
                    (Array | PercpuArray, 4..=6) if number == ABSENT => -7,
                    (Array | PercpuArray, 5) => -17,
                    _ => expected.get(at).copied().unwrap_or(-22),
                };
                assert_eq!(code(got), expected, "{kind} with {fill}, key {number}, flags {flags:#x}");
            }
        }
    }
}

#[test]
fn deletes_from_both_sides() {
    for &kind in MapKind::ALL {
        for number in [0, ABSENT] {
            let expected = match kind {
                Hash | PercpuHash | LruHash | LruPercpuHash if number == 0 => [0, -2],
                Hash | PercpuHash | LruHash | LruPercpuHash => [-2, -2],
                Array | PercpuArray | Queue | Stack => [-22, -22],
            };
            let key = key(number);
            let mut map = filled(kind, 0, 1);
            let user = [(); 2].map(|()| code(map.syscall().delete(user_key(kind, &key))));
            assert_eq!(user, expected, "{kind} key {number}");
            let mut map = filled(kind, 0, 1);
            let program = [(); 2].map(|()| code(map.delete(user_key(kind, &key))));
            assert_eq!(program, expected, "{kind} key {number}");
        }
    }
}

#[test]
fn lookups_by_user_space() {
    for &kind in MapKind::ALL {
        let (zero, absent) = (key(0), key(ABSENT));
        let mut map = filled(kind, 0, 2);
        let first = if kind == Stack { 101 } else { 100 };
        let mut user = map.syscall();
        assert_eq!(user.lookup(user_key(kind, &zero), 0), Ok(user_value(kind, first)), "{kind}");
        for flags in [1, 2, 4, 8] {
            assert_eq!(code(user.lookup(user_key(kind, &zero), flags)), -22, "{kind}");
            assert_eq!(code(user.lookup_and_delete(user_key(kind, &zero), flags)), -22, "{kind}");
        }
        if !kind.is_queue() {
            assert_eq!(code(user.lookup(&absent, 0)), -2, "{kind}");
        }
        let taken = [(); 3].map(|()| code(user.lookup_and_delete(user_key(kind, &zero), 0)));
        let expected = match kind {
            Hash | PercpuHash | LruHash | LruPercpuHash => [0, -2, -2],
            Array | PercpuArray => [-524; 3],
            Queue | Stack => [0, 0, -2],
        };
        assert_eq!(taken, expected, "{kind}");
        if kind.is_queue() {
            assert_eq!(code(user.lookup(&[], 0)), -2);
            assert_eq!([code(user.lookup(&zero, 0)), code(user.update(&zero, &value(1), 0))], [-22; 2]);
        }
    }
}

#[test]
fn keys_in_turn() {
    for &kind in MapKind::ALL {
        let walk = |fill: u32| {
            let mut map = filled(kind, 0, fill);
            let user = map.syscall();
            let from = [None, Some(key(0)), Some(key(1)), Some(key(ABSENT))];
            from.map(|key| match user.next_key(key.as_ref().map(|key| &key[..])) {
                Ok(key) => i32::from(key[0]),
                Err(error) => -error.errno(),
            })
        };
        if kind.is_array() {
            assert_eq!([walk(0), walk(2)], [[0, 1, -2, 0]; 2]);
        } else if kind.is_queue() {
            assert_eq!([walk(0), walk(2)], [[-22; 4]; 2]);
        } else {
            assert_eq!([walk(0), walk(1)], [[-2; 4], [0, -2, 0, 0]]);
            // The kernel's order here was 1, 0 for one table and 0, 1 for another.
            assert_eq!(walk(2), [0, 1, -2, 0]);
        }
    }
}

/// Update, delete, lookup-and-delete, lookup of an absent or first element, first key.
fn user_codes(map: &mut Map) -> [i32; 5] {
    let kind = map.def().kind;
    let zero = key(0);
    let mut user = map.syscall();
    let key = user_key(kind, &zero);
    let update = code(user.update(key, &user_value(kind, 1), 0));
    let delete = code(user.delete(key));
    let take = code(user.lookup_and_delete(key, 0));
    [update, delete, take, code(user.lookup(key, 0)), code(user.next_key(None))]
}

#[test]
fn access_of_user_space() {
    for &kind in MapKind::ALL {
        let [missing, next] = match kind {
            Array | PercpuArray => [0, 0],
            Queue | Stack => [-2, -22],
            Hash | PercpuHash | LruHash | LruPercpuHash => [-2, -2],
        };
        let mut read_only = filled(kind, 0, 0);
        assert_eq!(code(read_only.syscall().freeze()), 0);
        assert_eq!(code(read_only.syscall().freeze()), -1);
        assert_eq!(user_codes(&mut read_only), [-1, -1, -1, missing, next], "{kind} frozen");
        let wrote = match kind.is_queue() {
            true => read_only.push(&value(5), 0),
            false => read_only.update(&key(0), &value(5), 0, 0),
        };
        assert_eq!(code(wrote), 0, "a program may write a frozen {kind}");
        assert_eq!(user_codes(&mut filled(kind, BPF_F_RDONLY, 0)), [-1, -1, -1, missing, next], "{kind}");
        let delete = if kind.is_hash() { 0 } else { -22 };
        assert_eq!(user_codes(&mut filled(kind, BPF_F_WRONLY, 0)), [0, delete, -1, -1, -1], "{kind}");
    }
}

#[test]
fn access_of_programs() {
    for &kind in MapKind::ALL {
        let mut out = [0; 8];
        let mut map = filled(kind, BPF_F_RDONLY_PROG, 1);
        if kind.is_queue() {
            assert_eq!([code(map.push(&value(5), 0)), code(map.pop(&mut out))], [-13; 2]);
            assert_eq!(code(map.peek(&mut out)), 0);
        } else {
            assert_eq!([code(map.update(&key(0), &value(5), 0, 0)), code(map.delete(&key(0)))], [-13; 2]);
            assert!(matches!(map.lookup(&key(0), 0), Ok(Some(_))));
        }
    }
}

#[test]
fn pops_and_peeks_by_a_program() {
    for kind in [Queue, Stack] {
        let mut out = [0xee; 8];
        let mut map = filled(kind, 0, 0);
        assert_eq!((code(map.pop(&mut out)), out), (-2, [0; 8]), "an empty {kind} zeroes the value");
        out.fill(0xee);
        assert_eq!((code(map.peek(&mut out)), out), (-2, [0; 8]), "an empty {kind} zeroes the value");

        let mut map = filled(kind, 0, 2);
        map.push(&value(102), BPF_EXIST).unwrap();
        let taken = [(); 3].map(|()| {
            let peeked = map.peek(&mut out).map(|()| out);
            assert_eq!(map.pop(&mut out).map(|()| out), peeked);
            peeked.map_or(0, |bytes| bytes[0])
        });
        assert_eq!(taken, if kind == Queue { [101, 102, 0] } else { [102, 101, 0] });
    }
}

/// A program finds key 0 (value 100), then does `steps` and reads through the old pointer; then user space
/// reads key 0.
fn through_old_pointer(kind: MapKind, steps: &[(&str, u32, u32)]) -> (u8, Option<u8>) {
    let mut map = filled(kind, 0, 1);
    let id = map.lookup(&key(0), 0).unwrap().unwrap();
    for &(step, number, new) in steps {
        match step {
            "update" => map.update(&key(number), &value(new), 0, 0).unwrap(),
            "delete" => map.delete(&key(number)).unwrap(),
            _ => map.value_mut(id).unwrap().copy_from_slice(&value(new)),
        }
    }
    let seen = map.value(id).unwrap()[0];
    (seen, map.syscall().lookup(&key(0), 0).ok().map(|value| value[0]))
}

/// Where the kernel's answer depends on memory it used again (two updates, or a delete and an insertion), ours
/// is the old value; everything else is as measured.
#[test]
fn pointers_from_before_a_change() {
    for kind in [Hash, LruHash] {
        assert_eq!(through_old_pointer(kind, &[("update", 0, 1)]), (100, Some(1)));
        assert_eq!(through_old_pointer(kind, &[("update", 0, 1), ("write", 0, 42)]), (42, Some(1)));
        assert_eq!(through_old_pointer(kind, &[("update", 0, 1), ("update", 0, 2)]), (100, Some(2)));
    }
    for kind in [Array, PercpuArray, PercpuHash, LruPercpuHash] {
        assert_eq!(through_old_pointer(kind, &[("update", 0, 1)]), (1, Some(1)), "{kind} writes in place");
        assert_eq!(through_old_pointer(kind, &[("update", 0, 1), ("write", 0, 42)]), (42, Some(42)));
    }
    for kind in [Hash, LruHash, PercpuHash, LruPercpuHash] {
        assert_eq!(through_old_pointer(kind, &[("delete", 0, 0)]), (100, None));
        assert_eq!(through_old_pointer(kind, &[("delete", 0, 0), ("update", 5, 55)]), (100, None));
        let again = [("delete", 0, 0), ("update", 0, 7), ("write", 0, 42)];
        assert_eq!(through_old_pointer(kind, &again), (42, Some(7)));
    }
}

#[test]
fn a_program_writes_its_own_cpu() {
    for kind in [PercpuHash, LruPercpuHash, PercpuArray] {
        let mut map = filled(kind, 0, 0);
        map.update(&key(0), &value(5), 0, 1).unwrap();
        assert_eq!(map.syscall().lookup(&key(0), 0).unwrap(), [value(0), value(5)].concat(), "{kind}");
        map.syscall().update(&key(0), &user_value(kind, 9), 0).unwrap();
        map.update(&key(0), &value(6), 0, 1).unwrap();
        assert_eq!(map.syscall().lookup(&key(0), 0).unwrap(), [value(9), value(6)].concat(), "{kind}");
        let ids = [0, 1].map(|cpu| map.lookup(&key(0), cpu).unwrap().unwrap());
        assert_eq!(ids.map(|id| map.value(id).unwrap()[0]), [9, 6]);
        assert_eq!(map.lookup(&key(0), CPUS), Ok(None), "no such cpu");
        assert_eq!(code(map.update(&key(0), &value(6), 0, CPUS)), -22);
    }
}

/// The kernel copies the padding in and out: the eight bytes of a four-byte value come back all.
#[test]
fn percpu_values_are_rounded_up_even_on_one_cpu() {
    for cpus in [1, 2] {
        for kind in [PercpuArray, PercpuHash] {
            let def = MapDef { name: "p".into(), kind, key_size: 4, value_size: 4, max_entries: 1, flags: 0 };
            let mut map = Map::new(def, cpus).unwrap();
            let all = vec![0x11; 8 * cpus as usize];
            assert_eq!(code(map.syscall().update(&key(0), &[0x11; 4], 0)), -22);
            map.syscall().update(&key(0), &all, 0).unwrap();
            assert_eq!(map.syscall().lookup(&key(0), 0), Ok(all));
            let id = map.lookup(&key(0), 0).unwrap().unwrap();
            assert_eq!(map.value(id), Some(&[0x11; 4][..]));
        }
    }
}
