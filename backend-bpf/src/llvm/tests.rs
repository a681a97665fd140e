//! What is written for what; whether llc takes it is tested where whole modules are.

use larrow_ir::{Module, text};

use super::print;
use crate::isa::Isa;

fn parse(source: &str) -> Module {
    text::parse("test.ssa", source).expect("the text is valid").module
}

fn body(lines: &str) -> String {
    let source = format!(
        "map @m: array<u32, u64> entries 4\n\
         func @main(v0: ptr<ctx syscall>) -> u64 section \"syscall\" {{\nslot s0: u32\nb0:\n\
         v1 = CtxLoad <u64> [arg0] v0\nv2 = CtxLoad <u64> [arg1] v0\nv3 = Trunc <u32> v1\nv4 = Trunc <u8> v2\n\
         {lines}\n}}\n"
    );
    print(&parse(&source), Isa::V3).expect("it has a text")
}

#[track_caller]
fn holds(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
}

#[test]
fn a_divisor_that_may_be_zero_goes_to_the_machine() {
    let text = body("v5 = DivU <u64> v1, v2\nv6 = Const <u64> [10]\nv7 = ModU <u64> v5, v6\nRet v7");
    holds(
        &text,
        &["%v5 = call i64 asm \"$0 /= $2\", \"=r,0,r\"(i64 %v1, i64 %v2)", "%v7 = urem i64 %v5, 10"],
    );
    let narrow = body("v5 = Trunc <u8> v1\nv6 = ModU <u8> v5, v4\nv7 = ZeroExt <u64> v6\nRet v7");
    holds(&narrow, &["zext i8 %v4 to i32", "asm \"$0 %= $2\", \"=w,0,w\"", "%v6 = trunc i32"]);
}

#[test]
fn signed_division_is_expanded_below_v4_only() {
    let source = "func @main(v0: i64, v1: i64) -> i64 {\nb0:\nv2 = Div <i64> v0, v1\nRet v2\n}\n";
    let module = parse(source);
    assert!(!print(&module, Isa::V3).expect("it has a text").contains("s/="));
    holds(&print(&module, Isa::V4).expect("it has a text"), &["\"$0 s/= $2\""]);
}

#[test]
fn shift_counts_are_masked() {
    let text = body("v5 = Lsh <u64> v1, v4\nv6 = Const <u8> [65]\nv7 = RshU <u64> v5, v6\nRet v7");
    holds(&text, &["= zext i8 %v4 to i64", ", 63\n", "%v7 = lshr i64 %v5, 1\n"]);
}

#[test]
fn a_barrier_fetches_and_its_old_value_is_used() {
    let text = body("v5: Sync\nRet v1");
    holds(&text, &["atomicrmw add ptr %sync, i64 0 seq_cst", "asm sideeffect \"\", \"r\"(i64 %v5."]);
    assert!(!body("Ret v1").contains("%sync"), "a slot without use");
}

#[test]
fn map_ops_are_helper_calls() {
    let text = body(
        "v5 = LocalAddr <ptr<stack u32>> s0\nv6: Store v5, v3\nv7 = MapLookup <ptr<map u64>> @m v5\n\
         v8 = MapDelete <i64> @m v5\nRet v8",
    );
    let map = "@m = dso_local global { i32, i32, i32, i32, i32 } { i32 2, i32 4, i32 8, i32 4, i32 0 }";
    let lookup = "%v7 = call ptr inttoptr (i64 1 to ptr)(ptr @m, ptr %s0)";
    holds(
        &text,
        &[map, "store i32 %v3, ptr %s0, align 4", lookup, "call i64 inttoptr (i64 3 to ptr)(ptr @m"],
    );
}

#[test]
fn edges_that_a_phi_tells_apart_get_blocks() {
    let source = "func @main(v0: u32) -> u32 {\nb0:\nv1 = Const <u32> [7]\nv2 = Const <u32> [8]\n\
                  Switch v0 [0: b1, 1: b1] default b1\nb1: ← b0, b0, b0\nv3 = Phi <u32> v0, v1, v2\nRet v3\n}\n";
    let text = print(&parse(source), Isa::V3).expect("it has a text");
    holds(&text, &["phi i32 [ %v0, %b0 ], [ 7, %b2 ], [ 8, %b3 ]", "[ i32 0, label %b1 i32 1, label %b2 ]"]);
}

#[test]
fn what_is_not_lowered_is_refused_at_its_place() {
    let source = "chan @c: chan u32 cap 1\nfunc @main(v0: u32) -> u32 {\nb0:\nv1 = ChanAddr <chan u32> @c\n\
                  v2: ChanSend v1, v0\nPanic \"no\"\n}\n";
    let errors = print(&parse(source), Isa::V3).expect_err("it is not lowered");
    let messages: Vec<String> = errors.iter().map(|e| e.message.clone()).collect();
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert!(messages[0].starts_with("`ChanAddr` has no like"), "{messages:?}");
    assert!(errors.iter().all(|e| e.entity.is_some()));
}
