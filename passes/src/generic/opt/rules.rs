//! The algebraic rules, as data.
//!
//! A pattern is an op with operands in parentheses, a variable or a number. `x y z` match any value, `b` a bool,
//! `c d` a constant; a name that stands twice must match the same value. A number stands for its bits at the
//! width at hand, so −1 is all ones. On the right, `[…]` is computed when the rule fires. A condition is an
//! expression over the constants that is not zero; `width` is the operands' width, `Log2` the place of the
//! only bit set.
//!
//! Every rule is proved at 8 bits by enumeration and tested at the other widths it claims; see the tests.

/// A rewrite rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// What it is counted and switched off by.
    pub name: &'static str,
    /// What it matches.
    pub left: &'static str,
    /// What takes its place.
    pub right: &'static str,
    /// When it holds; empty for always.
    pub when: &'static str,
    /// The operand widths, in bits, that it claims to be right for. `bool` has one bit.
    pub widths: &'static [u32],
}

const INT: &[u32] = &[8, 16, 32, 64];
const BITS: &[u32] = &[1, 8, 16, 32, 64];
const BOOL: &[u32] = &[1];
const SWAP: &[u32] = &[16, 32, 64];

const POWER: &str = "(And (Neq c 0) (Eq (And c (Sub c 1)) 0))";
const SHORT: &str = "(And (LessU c width) (And (LessU d width) (LessU (Add c d) width)))";

macro_rules! rules {
    ($($name:literal $widths:ident $left:literal => $right:literal $(when $when:expr)?;)*) => {
        /// Every rule, in the order in which they are tried.
        pub const RULES: &[Rule] = &[$(Rule {
            name: $name, left: $left, right: $right, when: { let when = ""; $(let when = { let _ = when; $when };)? when }, widths: $widths,
        }),*];
    };
}

rules! {
    "add-zero" INT "(Add x 0)" => "x";
    "add-add" INT "(Add (Add x c) d)" => "(Add x [Add c d])";
    "add-neg" INT "(Add x (Neg y))" => "(Sub x y)";
    "neg-add" INT "(Add (Neg x) y)" => "(Sub y x)";
    "add-sub-same" INT "(Add (Sub x y) y)" => "x";
    "sub-self" INT "(Sub x x)" => "0";
    "sub-from-zero" INT "(Sub 0 x)" => "(Neg x)";
    "sub-const" INT "(Sub x c)" => "(Add x [Neg c])";
    "sub-add-same" INT "(Sub (Add x y) y)" => "x";
    "sub-add-same-left" INT "(Sub (Add x y) x)" => "y";
    "sub-neg" INT "(Sub x (Neg y))" => "(Add x y)";
    "neg-neg" INT "(Neg (Neg x))" => "x";
    "neg-sub" INT "(Neg (Sub x y))" => "(Sub y x)";
    "com-com" INT "(Com (Com x))" => "x";
    "not-not" BOOL "(Not (Not x))" => "x";
    "bswap-bswap" SWAP "(Bswap (Bswap x))" => "x";

    "mul-zero" INT "(Mul x 0)" => "0";
    "mul-one" INT "(Mul x 1)" => "x";
    "mul-minus-one" INT "(Mul x -1)" => "(Neg x)";
    "mul-mul" INT "(Mul (Mul x c) d)" => "(Mul x [Mul c d])";
    "mul-power" INT "(Mul x c)" => "(Lsh x [Log2 c])" when POWER;
    "div-zero" INT "(Div x 0)" => "0";
    "div-one" INT "(Div x 1)" => "x";
    "div-minus-one" INT "(Div x -1)" => "(Neg x)";
    "divu-zero" INT "(DivU x 0)" => "0";
    "divu-power" INT "(DivU x c)" => "(RshU x [Log2 c])" when POWER;
    "mod-zero" INT "(Mod x 0)" => "x";
    "mod-one" INT "(Mod x 1)" => "0";
    "mod-minus-one" INT "(Mod x -1)" => "0";
    "modu-zero" INT "(ModU x 0)" => "x";
    "modu-power" INT "(ModU x c)" => "(And x [Sub c 1])" when POWER;

    "and-zero" BITS "(And x 0)" => "0";
    "and-ones" BITS "(And x -1)" => "x";
    "and-self" BITS "(And x x)" => "x";
    "and-and" BITS "(And (And x c) d)" => "(And x [And c d])";
    "and-or-absorb" BITS "(And x (Or x y))" => "x";
    "or-zero" BITS "(Or x 0)" => "x";
    "or-ones" BITS "(Or x -1)" => "-1";
    "or-self" BITS "(Or x x)" => "x";
    "or-or" BITS "(Or (Or x c) d)" => "(Or x [Or c d])";
    "or-and-absorb" BITS "(Or x (And x y))" => "x";
    "xor-zero" BITS "(Xor x 0)" => "x";
    "xor-self" BITS "(Xor x x)" => "0";
    "xor-ones" INT "(Xor x -1)" => "(Com x)";
    "xor-true" BOOL "(Xor x -1)" => "(Not x)";
    "xor-xor" BITS "(Xor (Xor x c) d)" => "(Xor x [Xor c d])";
    "xor-xor-same" BITS "(Xor (Xor x y) y)" => "x";

    "lsh-by-zero" INT "(Lsh x 0)" => "x";
    "lsh-of-zero" INT "(Lsh 0 x)" => "0";
    "lsh-lsh" INT "(Lsh (Lsh x c) d)" => "(Lsh x [Add c d])" when SHORT;
    "rsh-by-zero" INT "(Rsh x 0)" => "x";
    "rsh-of-zero" INT "(Rsh 0 x)" => "0";
    "rsh-rsh" INT "(Rsh (Rsh x c) d)" => "(Rsh x [Add c d])" when SHORT;
    "rshu-by-zero" INT "(RshU x 0)" => "x";
    "rshu-of-zero" INT "(RshU 0 x)" => "0";
    "rshu-rshu" INT "(RshU (RshU x c) d)" => "(RshU x [Add c d])" when SHORT;
    "lsh-rshu" INT "(RshU (Lsh x c) c)" => "(And x [RshU -1 c])" when "(LessU c width)";
    "rshu-lsh" INT "(Lsh (RshU x c) c)" => "(And x [Lsh -1 c])" when "(LessU c width)";

    "eq-self" BITS "(Eq x x)" => "1";
    "neq-self" BITS "(Neq x x)" => "0";
    "eq-true" BOOL "(Eq x -1)" => "x";
    "eq-false" BOOL "(Eq x 0)" => "(Not x)";
    "neq-true" BOOL "(Neq x -1)" => "(Not x)";
    "neq-false" BOOL "(Neq x 0)" => "x";
    "eq-add" INT "(Eq (Add x c) d)" => "(Eq x [Sub d c])";
    "neq-add" INT "(Neq (Add x c) d)" => "(Neq x [Sub d c])";
    "eq-xor" INT "(Eq (Xor x c) d)" => "(Eq x [Xor d c])";
    "neq-xor" INT "(Neq (Xor x c) d)" => "(Neq x [Xor d c])";
    "eq-sub" INT "(Eq (Sub x y) 0)" => "(Eq x y)";
    "neq-sub" INT "(Neq (Sub x y) 0)" => "(Neq x y)";
    "eq-xor-zero" INT "(Eq (Xor x y) 0)" => "(Eq x y)";
    "neq-xor-zero" INT "(Neq (Xor x y) 0)" => "(Neq x y)";
    "less-self" INT "(Less x x)" => "0";
    "leq-self" INT "(Leq x x)" => "1";
    "lessu-self" INT "(LessU x x)" => "0";
    "lequ-self" INT "(LeqU x x)" => "1";
    "lessu-zero" INT "(LessU x 0)" => "0";
    "lessu-one" INT "(LessU x 1)" => "(Eq x 0)";
    "zero-lessu" INT "(LessU 0 x)" => "(Neq x 0)";
    "max-lessu" INT "(LessU -1 x)" => "0";
    "lequ-zero" INT "(LeqU x 0)" => "(Eq x 0)";
    "zero-lequ" INT "(LeqU 0 x)" => "1";
    "lequ-max" INT "(LeqU x -1)" => "1";
    "max-lequ" INT "(LeqU -1 x)" => "(Eq x -1)";
    "not-eq" BITS "(Not (Eq x y))" => "(Neq x y)";
    "not-neq" BITS "(Not (Neq x y))" => "(Eq x y)";
    "not-less" INT "(Not (Less x y))" => "(Leq y x)";
    "not-leq" INT "(Not (Leq x y))" => "(Less y x)";
    "not-lessu" INT "(Not (LessU x y))" => "(LeqU y x)";
    "not-lequ" INT "(Not (LeqU x y))" => "(LessU y x)";

    "eq-bool-zero" INT "(Eq (ZeroExt b) 0)" => "(Not b)";
    "eq-bool-one" INT "(Eq (ZeroExt b) 1)" => "b";
    "neq-bool-zero" INT "(Neq (ZeroExt b) 0)" => "b";
    "neq-bool-one" INT "(Neq (ZeroExt b) 1)" => "(Not b)";
    "and-bool-one" INT "(And (ZeroExt b) 1)" => "(ZeroExt b)";
    "select-true" BITS "(CondSelect -1 x y)" => "x";
    "select-false" BITS "(CondSelect 0 x y)" => "y";
    "select-same" BITS "(CondSelect b x x)" => "x";
    "select-not" BITS "(CondSelect (Not b) x y)" => "(CondSelect b y x)";
    "select-one-zero" BOOL "(CondSelect b -1 0)" => "b";
    "select-zero-one" BOOL "(CondSelect b 0 -1)" => "(Not b)";
}
