//! A bound on the time of a step, loose enough for an unoptimised build on a busy machine; an optimised one took
//! 61 ns a round.

use larrow_ir::text::parse;

use crate::{Interp, Options, Val};

/// A send and a receive a round, on a buffered channel.
const PING: &str = r#"file "ping.go"
chan @c: chan u32 cap 4

func @f(v0: u32) -> u32 {
b0:
    v1 = ChanAddr <chan u32> @c
    v2 = Const <u32> [0]
    v3 = Const <u32> [1]
    Plain → b1
b1: ← b0, b2
    v4 = Phi <u32> v2, v9
    v5 = Less <bool> v4, v0
    If v5 → b2, b3
b2: ← b1
    v6: ChanSend v1, v4
    v7 = ChanRecv <(u32, bool)> v1
    v8 = Extract <u32> [0] v7
    v9 = Add <u32> v8, v3
    Plain → b1
b3: ← b1
    Ret v4
}
"#;

#[test]
fn a_round_of_ping_pong_takes_its_steps() {
    let module = parse("ping.ssa", PING).expect("well-formed").module;
    let mut interp = Interp::new(&module, Options::default()).unwrap();
    const ROUNDS: u64 = 200_000;
    let result = interp.run("f", &[Val::Int(ROUNDS)]).unwrap();
    assert_eq!(result.value(), Some(Val::Int(ROUNDS)));
    assert_eq!(result.steps, 4 + 7 * ROUNDS + 3);
}
