//! Patterns: parsed from the rules' text, matched against values, computed on constants.

use larrow_ir::Op;
use smallvec::SmallVec;

use super::rules::Rule;
use crate::generic::fold::{eval, mask};

/// A parsed pattern.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Pattern {
    /// Any value, by the index of its name.
    Var(usize),
    /// Any bool.
    BoolVar(usize),
    /// A constant.
    ConstVar(usize),
    /// A number, to be cut to the width at hand.
    Number(u64),
    /// The operands' width.
    Width,
    /// An op. `computed`: on constants, when the rule fires.
    Node { op: Compute, args: Vec<Pattern>, computed: bool },
}

/// What a node does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Compute {
    Op(Op),
    /// The place of the lowest bit set.
    Log2,
}

/// A rule, parsed.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) rule: &'static Rule,
    pub(super) left: Pattern,
    pub(super) right: Pattern,
    pub(super) when: Option<Pattern>,
}

impl Parsed {
    pub(super) fn new(rule: &'static Rule) -> Parsed {
        let when = (!rule.when.is_empty()).then(|| parse(rule.when));
        Parsed { rule, left: parse(rule.left), right: parse(rule.right), when }
    }
    /// The op at the root of the left side.
    pub(super) fn root(&self) -> Op {
        match &self.left {
            Pattern::Node { op: Compute::Op(op), .. } => *op,
            other => unreachable!("a rule's left side is an op, not {other:?}"),
        }
    }
    /// Whether the condition holds for these constants at this width.
    pub(super) fn holds(&self, bits: u32, constants: &Bindings<u64>) -> bool {
        self.when.as_ref().is_none_or(|when| compute(when, bits, constants).is_some_and(|x| x != 0))
    }
}

/// The names that patterns use: `b c d x y z`.
const NAMES: &str = "bcdxyz";

/// What each name stands for.
pub(super) type Bindings<T> = [Option<T>; NAMES.len()];

fn parse(text: &str) -> Pattern {
    let spaced = text.replace('(', " ( ").replace(')', " ) ").replace('[', " [ ").replace(']', " ] ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let pattern = parse_tokens(&tokens, &mut at);
    assert_eq!(at, tokens.len(), "the rule {text} has more after its end");
    pattern
}

fn parse_tokens(tokens: &[&str], at: &mut usize) -> Pattern {
    let token = tokens[*at];
    *at += 1;
    match token {
        "(" | "[" => {
            let name = tokens[*at];
            *at += 1;
            let op = match name {
                "Log2" => Compute::Log2,
                _ => Compute::Op(Op::from_name(name).expect("rules name ops of the table")),
            };
            let mut args = Vec::new();
            while tokens[*at] != ")" && tokens[*at] != "]" {
                args.push(parse_tokens(tokens, at));
            }
            *at += 1;
            Pattern::Node { op, args, computed: token == "[" }
        }
        "width" => Pattern::Width,
        _ => match (token.parse::<i64>(), NAMES.find(token)) {
            (Ok(number), _) => Pattern::Number(number as u64),
            (_, Some(0)) => Pattern::BoolVar(0),
            (_, Some(name @ 1..=2)) => Pattern::ConstVar(name),
            (_, Some(name)) => Pattern::Var(name),
            (_, None) => unreachable!("rules use the names {NAMES}, not {token}"),
        },
    }
}

/// The value of an expression over constants at a width; comparisons yield 0 or 1.
pub(super) fn compute(pattern: &Pattern, bits: u32, constants: &Bindings<u64>) -> Option<u64> {
    match pattern {
        Pattern::Var(name) | Pattern::BoolVar(name) | Pattern::ConstVar(name) => constants[*name],
        Pattern::Number(number) => Some(number & mask(bits)),
        Pattern::Width => Some(u64::from(bits)),
        Pattern::Node { op: Compute::Log2, args, .. } => {
            Some(u64::from(compute(&args[0], bits, constants)?.trailing_zeros()))
        }
        Pattern::Node { op: Compute::Op(op), args, .. } => {
            let args: Option<SmallVec<[(u32, u64); 3]>> =
                args.iter().map(|a| Some((bits, compute(a, bits, constants)?))).collect();
            eval(*op, bits, &args?)
        }
    }
}

#[cfg(test)]
mod tests {
    //! The machine check of the rules: both sides are evaluated on every operand at 8 bits (and 1), on edges and
    //! random operands at the other widths.

    use super::super::rules::RULES;
    use super::*;
    use crate::manager::Random;

    /// The value and width of a side on given operands. Variables have the rule's width, `b` one bit.
    fn side(pattern: &Pattern, bits: u32, vars: &Bindings<u64>) -> Option<(u32, u64)> {
        match pattern {
            Pattern::Var(name) | Pattern::ConstVar(name) => Some((bits, vars[*name]?)),
            Pattern::BoolVar(name) => Some((1, vars[*name]?)),
            Pattern::Number(number) => Some((bits, number & mask(bits))),
            Pattern::Width => Some((bits, u64::from(bits))),
            Pattern::Node { computed: true, .. } => Some((bits, compute(pattern, bits, vars)? & mask(bits))),
            Pattern::Node { op: Compute::Log2, .. } => None,
            Pattern::Node { op: Compute::Op(op), args, .. } => {
                let args: Option<Vec<_>> = args.iter().map(|a| side(a, bits, vars)).collect();
                let args = args?;
                let to = if is_truth(*op) { 1 } else { bits };
                Some((to, eval(*op, to, &args)?))
            }
        }
    }

    fn is_truth(op: Op) -> bool {
        matches!(op, Op::Eq | Op::Neq | Op::Less | Op::Leq | Op::LessU | Op::LeqU | Op::Not)
    }

    fn uses(pattern: &Pattern, used: &mut [bool]) {
        match pattern {
            Pattern::Var(name) | Pattern::BoolVar(name) | Pattern::ConstVar(name) => used[*name] = true,
            Pattern::Number(_) | Pattern::Width => {}
            Pattern::Node { args, .. } => args.iter().for_each(|a| uses(a, used)),
        }
    }

    /// Compares the sides; whether the condition held.
    fn agree(parsed: &Parsed, bits: u32, vars: &Bindings<u64>) -> bool {
        if !parsed.holds(bits, vars) {
            return false;
        }
        let (to, left) = side(&parsed.left, bits, vars).expect("left sides have values");
        let (_, right) = side(&parsed.right, bits, vars).expect("right sides have values");
        assert_eq!(left & mask(to), right & mask(to), "{} at {bits} bits on {vars:x?}", parsed.rule.name);
        true
    }

    fn each_operands(parsed: &Parsed, bits: u32, mut f: impl FnMut(&Bindings<u64>)) {
        let mut used = [false; NAMES.len()];
        uses(&parsed.left, &mut used);
        uses(&parsed.right, &mut used);
        let names: Vec<usize> = (0..NAMES.len()).filter(|&i| used[i]).collect();
        let mut random = Random::new(u64::from(bits));
        let choices = |name: usize, random: &mut Random| -> Vec<u64> {
            match if name == 0 { 1 } else { bits } {
                1 => vec![0, 1],
                8 if names.len() <= 2 => (0..256).collect(),
                8 => (0..256).step_by(11).chain([1, 2, 3, 4, 7, 8, 9, 126, 127, 128, 129, 254]).collect(),
                w => {
                    let edges = (0..w).flat_map(|i| [1u64 << i, (1u64 << i) - 1, (1u64 << i).wrapping_neg()]);
                    let mut all: Vec<u64> = edges.collect();
                    all.extend((0..40).map(|_| random.next()));
                    if names.len() > 1 {
                        let keep = if names.len() > 2 { 30 } else { 120 };
                        random.permute(&mut all);
                        all.truncate(keep);
                        all.extend([0, 1, 2, u64::MAX]);
                    }
                    all.iter().map(|x| x & mask(w)).collect()
                }
            }
        };
        let lists: Vec<Vec<u64>> = names.iter().map(|&n| choices(n, &mut random)).collect();
        let total: usize = lists.iter().map(Vec::len).product();
        for mut i in 0..total {
            let mut vars: Bindings<u64> = [None; NAMES.len()];
            for (&name, list) in names.iter().zip(&lists) {
                vars[name] = Some(list[i % list.len()]);
                i /= list.len();
            }
            f(&vars);
        }
    }

    #[test]
    fn every_rule_is_right_at_every_width_that_it_claims() {
        for rule in RULES {
            let parsed = Parsed::new(rule);
            assert!(!rule.widths.is_empty());
            for &bits in rule.widths {
                let mut fired = 0u64;
                each_operands(&parsed, bits, |vars| fired += u64::from(agree(&parsed, bits, vars)));
                assert!(fired > 0, "{} never holds at {bits} bits", rule.name);
            }
        }
    }

    #[test]
    fn the_check_catches_a_wrong_rule() {
        static WRONG: Rule = Rule {
            name: "wrong",
            left: "(Div x c)",
            right: "(Rsh x [Log2 c])",
            when: "(Eq c 2)",
            widths: &[8],
        };
        let parsed = Parsed::new(&WRONG);
        let caught = std::panic::catch_unwind(|| {
            each_operands(&parsed, 8, |vars| {
                agree(&parsed, 8, vars);
            });
        });
        assert!(caught.is_err());
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = RULES.iter().map(|r| r.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), RULES.len());
    }
}
