//! The table: one row per BPF instruction.
//!
//! A row reads
//!
//! ```text
//! Name  byte  [dst src off imm]  Feature  (kind)  "printed form"  "what it does";
//! ```
//!
//! * `byte` is the opcode byte, the first of the eight.
//! * The bracket says what the four other fields may hold: `_` is an operand, a number is the only value allowed (zero where
//!   the field is reserved, else it selects this row among those of its byte). `wide` is a 64-bit immediate in two slots,
//!   `low` a 32-bit one in two slots, whose upper half is reserved.
//! * `Feature` is the [`Feature`](super::Feature) a target needs.
//! * `kind` is the [`Kind`](super::Kind), spelled for the `kind!` macro of [`opcode`](super::opcode).
//! * The printed form is the kernel's syntax as llvm-objdump writes it, with the placeholders of [`text`](super::text).
//!
//! To add an instruction, add its row, then its `Kind` if it is of no kind yet (the compiler lists every place that must
//! learn it), then a line in `cases.txt`; a test checks that every row has one.

/// Hands every row of the table to the macro `$with`.
///
/// Whatever wants one item per instruction expands this: the [`Opcode`](super::Opcode) enum, its rows, the decoder's index.
/// `define_opcodes!` in [`opcode`](super::opcode) shows the pattern that takes a row apart.
macro_rules! for_each_inst {
    ($with:ident) => {
        $with! {
        // 64-bit arithmetic.
        Add64Imm 0x07 [_ 0 0 _] Base (alu Add W64 Imm) "r{d} += {i}" "adds the immediate";
        Add64Reg 0x0f [_ _ 0 0] Base (alu Add W64 Reg) "r{d} += r{s}" "adds the source";
        Sub64Imm 0x17 [_ 0 0 _] Base (alu Sub W64 Imm) "r{d} -= {i}" "subtracts the immediate";
        Sub64Reg 0x1f [_ _ 0 0] Base (alu Sub W64 Reg) "r{d} -= r{s}" "subtracts the source";
        Mul64Imm 0x27 [_ 0 0 _] Base (alu Mul W64 Imm) "r{d} *= {i}" "multiplies by the immediate";
        Mul64Reg 0x2f [_ _ 0 0] Base (alu Mul W64 Reg) "r{d} *= r{s}" "multiplies by the source";
        Div64Imm 0x37 [_ 0 0 _] Base (alu Div W64 Imm) "r{d} /= {i}" "divides by the immediate, unsigned";
        Div64Reg 0x3f [_ _ 0 0] Base (alu Div W64 Reg) "r{d} /= r{s}" "divides by the source, unsigned";
        Or64Imm 0x47 [_ 0 0 _] Base (alu Or W64 Imm) "r{d} |= {i}" "ors with the immediate";
        Or64Reg 0x4f [_ _ 0 0] Base (alu Or W64 Reg) "r{d} |= r{s}" "ors with the source";
        And64Imm 0x57 [_ 0 0 _] Base (alu And W64 Imm) "r{d} &= {i}" "ands with the immediate";
        And64Reg 0x5f [_ _ 0 0] Base (alu And W64 Reg) "r{d} &= r{s}" "ands with the source";
        Lsh64Imm 0x67 [_ 0 0 _] Base (alu Lsh W64 Imm) "r{d} <<= {i}" "shifts left by the immediate";
        Lsh64Reg 0x6f [_ _ 0 0] Base (alu Lsh W64 Reg) "r{d} <<= r{s}" "shifts left by the source";
        Rsh64Imm 0x77 [_ 0 0 _] Base (alu Rsh W64 Imm) "r{d} >>= {i}" "shifts right by the immediate, filling with zeros";
        Rsh64Reg 0x7f [_ _ 0 0] Base (alu Rsh W64 Reg) "r{d} >>= r{s}" "shifts right by the source, filling with zeros";
        Mod64Imm 0x97 [_ 0 0 _] Base (alu Mod W64 Imm) "r{d} %= {i}" "leaves the unsigned remainder by the immediate";
        Mod64Reg 0x9f [_ _ 0 0] Base (alu Mod W64 Reg) "r{d} %= r{s}" "leaves the unsigned remainder by the source";
        Xor64Imm 0xa7 [_ 0 0 _] Base (alu Xor W64 Imm) "r{d} ^= {i}" "xors with the immediate";
        Xor64Reg 0xaf [_ _ 0 0] Base (alu Xor W64 Reg) "r{d} ^= r{s}" "xors with the source";
        Mov64Imm 0xb7 [_ 0 0 _] Base (alu Mov W64 Imm) "r{d} = {i}" "copies the immediate";
        Mov64Reg 0xbf [_ _ 0 0] Base (alu Mov W64 Reg) "r{d} = r{s}" "copies the source";
        Arsh64Imm 0xc7 [_ 0 0 _] Base (alu Arsh W64 Imm) "r{d} s>>= {i}" "shifts right by the immediate, filling with the sign";
        Arsh64Reg 0xcf [_ _ 0 0] Base (alu Arsh W64 Reg) "r{d} s>>= r{s}" "shifts right by the source, filling with the sign";
        SDiv64Imm 0x37 [_ 0 1 _] SignedDiv (alu SDiv W64 Imm) "r{d} s/= {i}" "divides by the immediate, signed";
        SDiv64Reg 0x3f [_ _ 1 0] SignedDiv (alu SDiv W64 Reg) "r{d} s/= r{s}" "divides by the source, signed";
        SMod64Imm 0x97 [_ 0 1 _] SignedDiv (alu SMod W64 Imm) "r{d} s%= {i}" "leaves the signed remainder by the immediate";
        SMod64Reg 0x9f [_ _ 1 0] SignedDiv (alu SMod W64 Reg) "r{d} s%= r{s}" "leaves the signed remainder by the source";
        Neg64 0x87 [_ 0 0 0] Base (neg W64) "r{d} = -r{d}" "negates";

        // 32-bit arithmetic: the upper half of the destination becomes zero.
        Add32Imm 0x04 [_ 0 0 _] Alu32 (alu Add W32 Imm) "w{d} += {i}" "adds the immediate";
        Add32Reg 0x0c [_ _ 0 0] Alu32 (alu Add W32 Reg) "w{d} += w{s}" "adds the source";
        Sub32Imm 0x14 [_ 0 0 _] Alu32 (alu Sub W32 Imm) "w{d} -= {i}" "subtracts the immediate";
        Sub32Reg 0x1c [_ _ 0 0] Alu32 (alu Sub W32 Reg) "w{d} -= w{s}" "subtracts the source";
        Mul32Imm 0x24 [_ 0 0 _] Alu32 (alu Mul W32 Imm) "w{d} *= {i}" "multiplies by the immediate";
        Mul32Reg 0x2c [_ _ 0 0] Alu32 (alu Mul W32 Reg) "w{d} *= w{s}" "multiplies by the source";
        Div32Imm 0x34 [_ 0 0 _] Alu32 (alu Div W32 Imm) "w{d} /= {i}" "divides by the immediate, unsigned";
        Div32Reg 0x3c [_ _ 0 0] Alu32 (alu Div W32 Reg) "w{d} /= w{s}" "divides by the source, unsigned";
        Or32Imm 0x44 [_ 0 0 _] Alu32 (alu Or W32 Imm) "w{d} |= {i}" "ors with the immediate";
        Or32Reg 0x4c [_ _ 0 0] Alu32 (alu Or W32 Reg) "w{d} |= w{s}" "ors with the source";
        And32Imm 0x54 [_ 0 0 _] Alu32 (alu And W32 Imm) "w{d} &= {i}" "ands with the immediate";
        And32Reg 0x5c [_ _ 0 0] Alu32 (alu And W32 Reg) "w{d} &= w{s}" "ands with the source";
        Lsh32Imm 0x64 [_ 0 0 _] Alu32 (alu Lsh W32 Imm) "w{d} <<= {i}" "shifts left by the immediate";
        Lsh32Reg 0x6c [_ _ 0 0] Alu32 (alu Lsh W32 Reg) "w{d} <<= w{s}" "shifts left by the source";
        Rsh32Imm 0x74 [_ 0 0 _] Alu32 (alu Rsh W32 Imm) "w{d} >>= {i}" "shifts right by the immediate, filling with zeros";
        Rsh32Reg 0x7c [_ _ 0 0] Alu32 (alu Rsh W32 Reg) "w{d} >>= w{s}" "shifts right by the source, filling with zeros";
        Mod32Imm 0x94 [_ 0 0 _] Alu32 (alu Mod W32 Imm) "w{d} %= {i}" "leaves the unsigned remainder by the immediate";
        Mod32Reg 0x9c [_ _ 0 0] Alu32 (alu Mod W32 Reg) "w{d} %= w{s}" "leaves the unsigned remainder by the source";
        Xor32Imm 0xa4 [_ 0 0 _] Alu32 (alu Xor W32 Imm) "w{d} ^= {i}" "xors with the immediate";
        Xor32Reg 0xac [_ _ 0 0] Alu32 (alu Xor W32 Reg) "w{d} ^= w{s}" "xors with the source";
        Mov32Imm 0xb4 [_ 0 0 _] Alu32 (alu Mov W32 Imm) "w{d} = {i}" "copies the immediate";
        Mov32Reg 0xbc [_ _ 0 0] Alu32 (alu Mov W32 Reg) "w{d} = w{s}" "copies the source";
        Arsh32Imm 0xc4 [_ 0 0 _] Alu32 (alu Arsh W32 Imm) "w{d} s>>= {i}" "shifts right by the immediate, filling with the sign";
        Arsh32Reg 0xcc [_ _ 0 0] Alu32 (alu Arsh W32 Reg) "w{d} s>>= w{s}" "shifts right by the source, filling with the sign";
        SDiv32Imm 0x34 [_ 0 1 _] SignedDiv (alu SDiv W32 Imm) "w{d} s/= {i}" "divides by the immediate, signed";
        SDiv32Reg 0x3c [_ _ 1 0] SignedDiv (alu SDiv W32 Reg) "w{d} s/= w{s}" "divides by the source, signed";
        SMod32Imm 0x94 [_ 0 1 _] SignedDiv (alu SMod W32 Imm) "w{d} s%= {i}" "leaves the signed remainder by the immediate";
        SMod32Reg 0x9c [_ _ 1 0] SignedDiv (alu SMod W32 Reg) "w{d} s%= w{s}" "leaves the signed remainder by the source";
        Neg32 0x84 [_ 0 0 0] Alu32 (neg W32) "w{d} = -w{d}" "negates";

        // Sign-extending moves.
        MovSx8To64 0xbf [_ _ 8 0] MovSx (movsx S8To64) "r{d} = (s8)r{s}" "sign-extends the low 8 bits of the source to 64 bits";
        MovSx16To64 0xbf [_ _ 16 0] MovSx (movsx S16To64) "r{d} = (s16)r{s}" "sign-extends the low 16 bits of the source to 64 bits";
        MovSx32To64 0xbf [_ _ 32 0] MovSx (movsx S32To64) "r{d} = (s32)r{s}" "sign-extends the low 32 bits of the source to 64 bits";
        MovSx8To32 0xbc [_ _ 8 0] MovSx (movsx S8To32) "w{d} = (s8)w{s}" "sign-extends the low 8 bits of the source to 32 bits, upper half zero";
        MovSx16To32 0xbc [_ _ 16 0] MovSx (movsx S16To32) "w{d} = (s16)w{s}" "sign-extends the low 16 bits of the source to 32 bits, upper half zero";
        AddrSpaceCast 0xbf [_ _ 1 _] Arena (cast) "r{d} = addr_space_cast(r{s}{a})" "converts an arena pointer; the immediate is `to << 16 | from`";

        // Byte order.
        Le16 0xd4 [_ 0 0 16] Base (endian Le B16) "r{d} = le16 r{d}" "converts to or from little endian: keeps the low 16 bits";
        Le32 0xd4 [_ 0 0 32] Base (endian Le B32) "r{d} = le32 r{d}" "converts to or from little endian: keeps the low 32 bits";
        Le64 0xd4 [_ 0 0 64] Base (endian Le B64) "r{d} = le64 r{d}" "converts to or from little endian: keeps the low 64 bits";
        Be16 0xdc [_ 0 0 16] Base (endian Be B16) "r{d} = be16 r{d}" "converts to or from big endian: swaps the low 16 bits, the rest becomes zero";
        Be32 0xdc [_ 0 0 32] Base (endian Be B32) "r{d} = be32 r{d}" "converts to or from big endian: swaps the low 32 bits, the rest becomes zero";
        Be64 0xdc [_ 0 0 64] Base (endian Be B64) "r{d} = be64 r{d}" "converts to or from big endian: swaps the low 64 bits, the rest becomes zero";
        Bswap16 0xd7 [_ 0 0 16] Bswap (endian Bswap B16) "r{d} = bswap16 r{d}" "swaps the bytes of the low 16 bits, the rest becomes zero";
        Bswap32 0xd7 [_ 0 0 32] Bswap (endian Bswap B32) "r{d} = bswap32 r{d}" "swaps the bytes of the low 32 bits, the rest becomes zero";
        Bswap64 0xd7 [_ 0 0 64] Bswap (endian Bswap B64) "r{d} = bswap64 r{d}" "swaps the bytes of the low 64 bits, the rest becomes zero";

        // Loads.
        LoadB 0x71 [_ _ _ 0] Base (load B) "w{d} = *(u8 *)(r{s}{o})" "loads 8 bits, zero-extended";
        LoadH 0x69 [_ _ _ 0] Base (load H) "w{d} = *(u16 *)(r{s}{o})" "loads 16 bits, zero-extended";
        LoadW 0x61 [_ _ _ 0] Base (load W) "w{d} = *(u32 *)(r{s}{o})" "loads 32 bits, zero-extended";
        LoadDW 0x79 [_ _ _ 0] Base (load DW) "r{d} = *(u64 *)(r{s}{o})" "loads 64 bits";
        LoadSxB 0x91 [_ _ _ 0] LdSx (loadsx B) "r{d} = *(s8 *)(r{s}{o})" "loads 8 bits, sign-extended to 64 bits";
        LoadSxH 0x89 [_ _ _ 0] LdSx (loadsx H) "r{d} = *(s16 *)(r{s}{o})" "loads 16 bits, sign-extended to 64 bits";
        LoadSxW 0x81 [_ _ _ 0] LdSx (loadsx W) "r{d} = *(s32 *)(r{s}{o})" "loads 32 bits, sign-extended to 64 bits";

        // Stores.
        StoreBReg 0x73 [_ _ _ 0] Base (store B Reg) "*(u8 *)(r{d}{o}) = w{s}" "stores the low 8 bits of the source";
        StoreHReg 0x6b [_ _ _ 0] Base (store H Reg) "*(u16 *)(r{d}{o}) = w{s}" "stores the low 16 bits of the source";
        StoreWReg 0x63 [_ _ _ 0] Base (store W Reg) "*(u32 *)(r{d}{o}) = w{s}" "stores the low 32 bits of the source";
        StoreDWReg 0x7b [_ _ _ 0] Base (store DW Reg) "*(u64 *)(r{d}{o}) = r{s}" "stores the source";
        StoreBImm 0x72 [_ 0 _ _] StoreImm (store B Imm) "*(u8 *)(r{d}{o}) = {i}" "stores the low 8 bits of the immediate";
        StoreHImm 0x6a [_ 0 _ _] StoreImm (store H Imm) "*(u16 *)(r{d}{o}) = {i}" "stores the low 16 bits of the immediate";
        StoreWImm 0x62 [_ 0 _ _] StoreImm (store W Imm) "*(u32 *)(r{d}{o}) = {i}" "stores the low 32 bits of the immediate";
        StoreDWImm 0x7a [_ 0 _ _] StoreImm (store DW Imm) "*(u64 *)(r{d}{o}) = {i}" "stores the sign-extended immediate";

        // Atomics: `dst` is the address, `src` the operand and, when fetching, the result.
        AtomicAdd64 0xdb [_ _ _ 0] Base (atomic Add W64) "lock *(u64 *)(r{d}{o}) += r{s}" "adds into memory, relaxed";
        AtomicOr64 0xdb [_ _ _ 0x40] Atomics64 (atomic Or W64) "lock *(u64 *)(r{d}{o}) |= r{s}" "ors into memory, relaxed";
        AtomicAnd64 0xdb [_ _ _ 0x50] Atomics64 (atomic And W64) "lock *(u64 *)(r{d}{o}) &= r{s}" "ands into memory, relaxed";
        AtomicXor64 0xdb [_ _ _ 0xa0] Atomics64 (atomic Xor W64) "lock *(u64 *)(r{d}{o}) ^= r{s}" "xors into memory, relaxed";
        AtomicFetchAdd64 0xdb [_ _ _ 0x01] Atomics64 (atomic FetchAdd W64) "r{s} = atomic_fetch_add((u64 *)(r{d}{o}), r{s})" "adds into memory; the source becomes the old value";
        AtomicFetchOr64 0xdb [_ _ _ 0x41] Atomics64 (atomic FetchOr W64) "r{s} = atomic_fetch_or((u64 *)(r{d}{o}), r{s})" "ors into memory; the source becomes the old value";
        AtomicFetchAnd64 0xdb [_ _ _ 0x51] Atomics64 (atomic FetchAnd W64) "r{s} = atomic_fetch_and((u64 *)(r{d}{o}), r{s})" "ands into memory; the source becomes the old value";
        AtomicFetchXor64 0xdb [_ _ _ 0xa1] Atomics64 (atomic FetchXor W64) "r{s} = atomic_fetch_xor((u64 *)(r{d}{o}), r{s})" "xors into memory; the source becomes the old value";
        AtomicXchg64 0xdb [_ _ _ 0xe1] Atomics64 (atomic Xchg W64) "r{s} = xchg_64(r{d}{o}, r{s})" "exchanges the source with memory";
        AtomicCmpXchg64 0xdb [_ _ _ 0xf1] Atomics64 (atomic CmpXchg W64) "r0 = cmpxchg_64(r{d}{o}, r0, r{s})" "stores the source if memory equals R0; R0 becomes the old value";
        AtomicAdd32 0xc3 [_ _ _ 0] Base (atomic Add W32) "lock *(u32 *)(r{d}{o}) += w{s}" "adds into memory, relaxed";
        AtomicOr32 0xc3 [_ _ _ 0x40] Atomics32 (atomic Or W32) "lock *(u32 *)(r{d}{o}) |= w{s}" "ors into memory, relaxed";
        AtomicAnd32 0xc3 [_ _ _ 0x50] Atomics32 (atomic And W32) "lock *(u32 *)(r{d}{o}) &= w{s}" "ands into memory, relaxed";
        AtomicXor32 0xc3 [_ _ _ 0xa0] Atomics32 (atomic Xor W32) "lock *(u32 *)(r{d}{o}) ^= w{s}" "xors into memory, relaxed";
        AtomicFetchAdd32 0xc3 [_ _ _ 0x01] Atomics32 (atomic FetchAdd W32) "w{s} = atomic_fetch_add((u32 *)(r{d}{o}), w{s})" "adds into memory; the source becomes the old value";
        AtomicFetchOr32 0xc3 [_ _ _ 0x41] Atomics32 (atomic FetchOr W32) "w{s} = atomic_fetch_or((u32 *)(r{d}{o}), w{s})" "ors into memory; the source becomes the old value";
        AtomicFetchAnd32 0xc3 [_ _ _ 0x51] Atomics32 (atomic FetchAnd W32) "w{s} = atomic_fetch_and((u32 *)(r{d}{o}), w{s})" "ands into memory; the source becomes the old value";
        AtomicFetchXor32 0xc3 [_ _ _ 0xa1] Atomics32 (atomic FetchXor W32) "w{s} = atomic_fetch_xor((u32 *)(r{d}{o}), w{s})" "xors into memory; the source becomes the old value";
        AtomicXchg32 0xc3 [_ _ _ 0xe1] Atomics32 (atomic Xchg W32) "w{s} = xchg32_32(r{d}{o}, w{s})" "exchanges the source with memory";
        AtomicCmpXchg32 0xc3 [_ _ _ 0xf1] Atomics32 (atomic CmpXchg W32) "w0 = cmpxchg32_32(r{d}{o}, w0, w{s})" "stores the source if memory equals R0; R0 becomes the old value";
        LoadAcquireB 0xd3 [_ _ _ 0x100] AcqRel (load_acquire B) "w{d} = load_acquire((u8 *)(r{s}{o}))" "loads 8 bits with acquire order, zero-extended";
        LoadAcquireH 0xcb [_ _ _ 0x100] AcqRel (load_acquire H) "w{d} = load_acquire((u16 *)(r{s}{o}))" "loads 16 bits with acquire order, zero-extended";
        LoadAcquireW 0xc3 [_ _ _ 0x100] AcqRel (load_acquire W) "w{d} = load_acquire((u32 *)(r{s}{o}))" "loads 32 bits with acquire order, zero-extended";
        LoadAcquireDW 0xdb [_ _ _ 0x100] AcqRel (load_acquire DW) "r{d} = load_acquire((u64 *)(r{s}{o}))" "loads 64 bits with acquire order";
        StoreReleaseB 0xd3 [_ _ _ 0x110] AcqRel (store_release B) "store_release((u8 *)(r{d}{o}), w{s})" "stores 8 bits with release order";
        StoreReleaseH 0xcb [_ _ _ 0x110] AcqRel (store_release H) "store_release((u16 *)(r{d}{o}), w{s})" "stores 16 bits with release order";
        StoreReleaseW 0xc3 [_ _ _ 0x110] AcqRel (store_release W) "store_release((u32 *)(r{d}{o}), w{s})" "stores 32 bits with release order";
        StoreReleaseDW 0xdb [_ _ _ 0x110] AcqRel (store_release DW) "store_release((u64 *)(r{d}{o}), r{s})" "stores 64 bits with release order";

        // Jumps: offsets are in slots, from the slot after the jump.
        Ja 0x05 [0 0 _ 0] Base (jump) "goto {j}" "jumps always";
        Gotol 0x06 [0 0 0 _] Gotol (jump_long) "gotol {l}" "jumps always; the offset is the immediate";
        MayGoto 0xe5 [0 0 _ 0] MayGoto (may_goto) "may_goto {j}" "jumps once the kernel's loop budget is spent";
        JEq64Imm 0x15 [_ 0 _ _] Base (branch Eq W64 Imm) "if r{d} == {i} goto {j}" "jumps if equal";
        JEq64Reg 0x1d [_ _ _ 0] Base (branch Eq W64 Reg) "if r{d} == r{s} goto {j}" "jumps if equal";
        JNe64Imm 0x55 [_ 0 _ _] Base (branch Ne W64 Imm) "if r{d} != {i} goto {j}" "jumps if not equal";
        JNe64Reg 0x5d [_ _ _ 0] Base (branch Ne W64 Reg) "if r{d} != r{s} goto {j}" "jumps if not equal";
        JGt64Imm 0x25 [_ 0 _ _] Base (branch Gt W64 Imm) "if r{d} > {i} goto {j}" "jumps if above, unsigned";
        JGt64Reg 0x2d [_ _ _ 0] Base (branch Gt W64 Reg) "if r{d} > r{s} goto {j}" "jumps if above, unsigned";
        JGe64Imm 0x35 [_ 0 _ _] Base (branch Ge W64 Imm) "if r{d} >= {i} goto {j}" "jumps if above or equal, unsigned";
        JGe64Reg 0x3d [_ _ _ 0] Base (branch Ge W64 Reg) "if r{d} >= r{s} goto {j}" "jumps if above or equal, unsigned";
        JLt64Imm 0xa5 [_ 0 _ _] JmpLt (branch Lt W64 Imm) "if r{d} < {i} goto {j}" "jumps if below, unsigned";
        JLt64Reg 0xad [_ _ _ 0] JmpLt (branch Lt W64 Reg) "if r{d} < r{s} goto {j}" "jumps if below, unsigned";
        JLe64Imm 0xb5 [_ 0 _ _] JmpLt (branch Le W64 Imm) "if r{d} <= {i} goto {j}" "jumps if below or equal, unsigned";
        JLe64Reg 0xbd [_ _ _ 0] JmpLt (branch Le W64 Reg) "if r{d} <= r{s} goto {j}" "jumps if below or equal, unsigned";
        JSet64Imm 0x45 [_ 0 _ _] Base (branch Set W64 Imm) "if r{d} & {i} goto {j}" "jumps if any common bit";
        JSet64Reg 0x4d [_ _ _ 0] Base (branch Set W64 Reg) "if r{d} & r{s} goto {j}" "jumps if any common bit";
        JSgt64Imm 0x65 [_ 0 _ _] Base (branch Sgt W64 Imm) "if r{d} s> {i} goto {j}" "jumps if greater, signed";
        JSgt64Reg 0x6d [_ _ _ 0] Base (branch Sgt W64 Reg) "if r{d} s> r{s} goto {j}" "jumps if greater, signed";
        JSge64Imm 0x75 [_ 0 _ _] Base (branch Sge W64 Imm) "if r{d} s>= {i} goto {j}" "jumps if greater or equal, signed";
        JSge64Reg 0x7d [_ _ _ 0] Base (branch Sge W64 Reg) "if r{d} s>= r{s} goto {j}" "jumps if greater or equal, signed";
        JSlt64Imm 0xc5 [_ 0 _ _] JmpLt (branch Slt W64 Imm) "if r{d} s< {i} goto {j}" "jumps if less, signed";
        JSlt64Reg 0xcd [_ _ _ 0] JmpLt (branch Slt W64 Reg) "if r{d} s< r{s} goto {j}" "jumps if less, signed";
        JSle64Imm 0xd5 [_ 0 _ _] JmpLt (branch Sle W64 Imm) "if r{d} s<= {i} goto {j}" "jumps if less or equal, signed";
        JSle64Reg 0xdd [_ _ _ 0] JmpLt (branch Sle W64 Reg) "if r{d} s<= r{s} goto {j}" "jumps if less or equal, signed";
        JEq32Imm 0x16 [_ 0 _ _] Jmp32 (branch Eq W32 Imm) "if w{d} == {i} goto {j}" "jumps if equal";
        JEq32Reg 0x1e [_ _ _ 0] Jmp32 (branch Eq W32 Reg) "if w{d} == w{s} goto {j}" "jumps if equal";
        JNe32Imm 0x56 [_ 0 _ _] Jmp32 (branch Ne W32 Imm) "if w{d} != {i} goto {j}" "jumps if not equal";
        JNe32Reg 0x5e [_ _ _ 0] Jmp32 (branch Ne W32 Reg) "if w{d} != w{s} goto {j}" "jumps if not equal";
        JGt32Imm 0x26 [_ 0 _ _] Jmp32 (branch Gt W32 Imm) "if w{d} > {i} goto {j}" "jumps if above, unsigned";
        JGt32Reg 0x2e [_ _ _ 0] Jmp32 (branch Gt W32 Reg) "if w{d} > w{s} goto {j}" "jumps if above, unsigned";
        JGe32Imm 0x36 [_ 0 _ _] Jmp32 (branch Ge W32 Imm) "if w{d} >= {i} goto {j}" "jumps if above or equal, unsigned";
        JGe32Reg 0x3e [_ _ _ 0] Jmp32 (branch Ge W32 Reg) "if w{d} >= w{s} goto {j}" "jumps if above or equal, unsigned";
        JLt32Imm 0xa6 [_ 0 _ _] Jmp32 (branch Lt W32 Imm) "if w{d} < {i} goto {j}" "jumps if below, unsigned";
        JLt32Reg 0xae [_ _ _ 0] Jmp32 (branch Lt W32 Reg) "if w{d} < w{s} goto {j}" "jumps if below, unsigned";
        JLe32Imm 0xb6 [_ 0 _ _] Jmp32 (branch Le W32 Imm) "if w{d} <= {i} goto {j}" "jumps if below or equal, unsigned";
        JLe32Reg 0xbe [_ _ _ 0] Jmp32 (branch Le W32 Reg) "if w{d} <= w{s} goto {j}" "jumps if below or equal, unsigned";
        JSet32Imm 0x46 [_ 0 _ _] Jmp32 (branch Set W32 Imm) "if w{d} & {i} goto {j}" "jumps if any common bit";
        JSet32Reg 0x4e [_ _ _ 0] Jmp32 (branch Set W32 Reg) "if w{d} & w{s} goto {j}" "jumps if any common bit";
        JSgt32Imm 0x66 [_ 0 _ _] Jmp32 (branch Sgt W32 Imm) "if w{d} s> {i} goto {j}" "jumps if greater, signed";
        JSgt32Reg 0x6e [_ _ _ 0] Jmp32 (branch Sgt W32 Reg) "if w{d} s> w{s} goto {j}" "jumps if greater, signed";
        JSge32Imm 0x76 [_ 0 _ _] Jmp32 (branch Sge W32 Imm) "if w{d} s>= {i} goto {j}" "jumps if greater or equal, signed";
        JSge32Reg 0x7e [_ _ _ 0] Jmp32 (branch Sge W32 Reg) "if w{d} s>= w{s} goto {j}" "jumps if greater or equal, signed";
        JSlt32Imm 0xc6 [_ 0 _ _] Jmp32 (branch Slt W32 Imm) "if w{d} s< {i} goto {j}" "jumps if less, signed";
        JSlt32Reg 0xce [_ _ _ 0] Jmp32 (branch Slt W32 Reg) "if w{d} s< w{s} goto {j}" "jumps if less, signed";
        JSle32Imm 0xd6 [_ 0 _ _] Jmp32 (branch Sle W32 Imm) "if w{d} s<= {i} goto {j}" "jumps if less or equal, signed";
        JSle32Reg 0xde [_ _ _ 0] Jmp32 (branch Sle W32 Reg) "if w{d} s<= w{s} goto {j}" "jumps if less or equal, signed";

        // Calls: arguments in R1 to R5, result in R0, R1 to R5 are lost.
        CallHelper 0x85 [0 0 0 _] Base (call Helper) "call {i}" "calls the kernel helper with that number";
        CallSubprogram 0x85 [0 1 0 _] Subprogram (call Subprogram) "call {i}" "calls the function that many slots after the next";
        CallKfunc 0x85 [0 2 _ _] Kfunc (call Kfunc) "call {i}" "calls the kernel function with that BTF id; `off` indexes the fd array";
        CallX 0x8d [_ 0 0 0] CallX (callx) "callx r{d}" "calls the address in the register";
        Exit 0x95 [0 0 0 0] Base (exit) "exit" "returns R0";

        // 64-bit immediates: two slots.
        LdImm64 0x18 [_ 0 0 wide] Base (imm64 Plain) "r{d} = {i} ll" "the 64-bit constant";
        LdMapFd 0x18 [_ 1 0 low] Base (imm64 MapFd) "ld_pseudo\tr{d}, 0x1, {p}" "the map with that file descriptor";
        LdMapValue 0x18 [_ 2 0 wide] MapValue (imm64 MapValue) "ld_pseudo\tr{d}, 0x2, {p}" "the value of a one-entry array map: descriptor low, byte offset high";
        LdBtfId 0x18 [_ 3 0 wide] BtfId (imm64 BtfId) "ld_pseudo\tr{d}, 0x3, {p}" "the kernel variable with that BTF id: id low, module descriptor high";
        LdFunc 0x18 [_ 4 0 low] FuncPtr (imm64 Func) "ld_pseudo\tr{d}, 0x4, {p}" "the function that many slots after the next";
        LdMapIdx 0x18 [_ 5 0 low] MapIdx (imm64 MapIdx) "ld_pseudo\tr{d}, 0x5, {p}" "the map at that index of the fd array";
        LdMapIdxValue 0x18 [_ 6 0 wide] MapIdx (imm64 MapIdxValue) "ld_pseudo\tr{d}, 0x6, {p}" "the value of a map in the fd array: index low, byte offset high";

        // Legacy packet access: R6 is the socket buffer, R0 the result, R1 to R5 are lost.
        LdAbsB 0x30 [0 0 0 _] Base (packet Abs B) "r0 = *(u8 *)skb[{i}]" "loads 8 big-endian bits at the immediate";
        LdAbsH 0x28 [0 0 0 _] Base (packet Abs H) "r0 = *(u16 *)skb[{i}]" "loads 16 big-endian bits at the immediate";
        LdAbsW 0x20 [0 0 0 _] Base (packet Abs W) "r0 = *(u32 *)skb[{i}]" "loads 32 big-endian bits at the immediate";
        LdIndB 0x50 [0 _ 0 _] Base (packet Ind B) "r0 = *(u8 *)skb[r{s}{x}]" "loads 8 big-endian bits at source plus immediate";
        LdIndH 0x48 [0 _ 0 _] Base (packet Ind H) "r0 = *(u16 *)skb[r{s}{x}]" "loads 16 big-endian bits at source plus immediate";
        LdIndW 0x40 [0 _ 0 _] Base (packet Ind W) "r0 = *(u32 *)skb[r{s}{x}]" "loads 32 big-endian bits at source plus immediate";
        }
    };
}
pub(crate) use for_each_inst;
