//! The functions of the Go runtime that lowered code calls: one row each, as gc declares them.

use std::fmt;

use crate::op::Effects;

/// The signature of a runtime function. The comments give parameters `→` results.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RuntimeSig {
    /// `size i64 → chan T`
    MakeChan,
    /// `chan, pointer to T →`
    Send,
    /// `chan, pointer to T or nil →`
    Recv1,
    /// `chan, pointer to T or nil → bool received`
    Recv2,
    /// `chan →`
    Close,
    /// `chan → i64`
    Length,
    /// `chan, pointer to T → bool selected`
    TrySend,
    /// `pointer to T or nil, chan → (bool selected, bool received)`
    TryRecv,
    /// `scases, order, pcs (nil), nsends i64, nrecvs i64, block bool → (i64 chosen, bool received)`
    SelectGo,
    /// `→`, never returns
    Block,
    /// `function, its arguments… →`
    NewProc,
}

macro_rules! runtime_fns {
    ($($variant:ident $name:literal $sig:ident ($($effect:ident)|+) $doc:literal;)*) => {
        /// A function of the Go runtime.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum RuntimeFn {
            $(#[doc = $doc] $variant,)*
        }
        impl RuntimeFn {
            /// Every runtime function, in the table's order.
            pub const ALL: &'static [RuntimeFn] = &[$(RuntimeFn::$variant),*];
            /// The name without `runtime.`, which is its spelling in the text format.
            pub fn name(self) -> &'static str {
                match self { $(RuntimeFn::$variant => $name),* }
            }
            /// The signature.
            pub fn sig(self) -> RuntimeSig {
                match self { $(RuntimeFn::$variant => RuntimeSig::$sig),* }
            }
            /// The effects.
            pub fn effects(self) -> Effects {
                match self { $(RuntimeFn::$variant => Effects::PURE $(| Effects::$effect)+),* }
            }
            /// The meaning in a sentence.
            pub fn doc(self) -> &'static str {
                match self { $(RuntimeFn::$variant => $doc),* }
            }
            /// The runtime function of this name.
            pub fn from_name(name: &str) -> Option<RuntimeFn> {
                match name { $($name => Some(RuntimeFn::$variant),)* _ => None }
            }
        }
    };
}

runtime_fns! {
    MakeChan "makechan" MakeChan (CALLS | CHANNEL | WRITES | TRAPS) "allocates a channel";
    ChanSend1 "chansend1" Send (CALLS | CHANNEL | READS | WRITES | TRAPS | BLOCKS) "`c <- x`";
    ChanRecv1 "chanrecv1" Recv1 (CALLS | CHANNEL | READS | WRITES | ACQUIRES | BLOCKS) "`<-c`, `v := <-c`";
    ChanRecv2 "chanrecv2" Recv2 (CALLS | CHANNEL | READS | WRITES | ACQUIRES | BLOCKS) "`v, ok := <-c`";
    CloseChan "closechan" Close (CALLS | CHANNEL | WRITES | TRAPS) "`close(c)`";
    ChanLen "chanlen" Length (CALLS | CHANNEL | READS) "`len(c)`";
    ChanCap "chancap" Length (CALLS | CHANNEL | READS) "`cap(c)`";
    SelectNbSend "selectnbsend" TrySend (CALLS | CHANNEL | READS | WRITES | TRAPS) "one send case and a default";
    SelectNbRecv "selectnbrecv" TryRecv (CALLS | CHANNEL | READS | WRITES | ACQUIRES) "one receive case and a default";
    SelectGo "selectgo" SelectGo (CALLS | CHANNEL | READS | WRITES | ACQUIRES | TRAPS | BLOCKS) "every other select";
    Block "block" Block (CALLS | CHANNEL | BLOCKS) "`select {}`";
    NewProc "newproc" NewProc (CALLS | WRITES) "`go f(…)`";
}

impl RuntimeFn {
    /// Whether [`crate::Op::Status`] has a meaning for it: it communicates, or tries to.
    pub fn has_status(self) -> bool {
        match self {
            RuntimeFn::ChanSend1
            | RuntimeFn::ChanRecv1
            | RuntimeFn::ChanRecv2
            | RuntimeFn::SelectNbSend
            | RuntimeFn::SelectNbRecv
            | RuntimeFn::SelectGo
            | RuntimeFn::CloseChan
            | RuntimeFn::Block => true,
            RuntimeFn::MakeChan | RuntimeFn::ChanLen | RuntimeFn::ChanCap | RuntimeFn::NewProc => false,
        }
    }
}

/// Bits of the status word that every channel runtime call yields ([`crate::Op::Status`]).
pub mod status {
    /// A value was sent or received.
    pub const COMMUNICATED: u32 = 1;
    /// The operation completed: communicated, or received from a closed channel.
    pub const SELECTED: u32 = 2;
    /// Another CPU kept interfering and the bounded retries ran out; the operation did nothing.
    pub const EXHAUSTED: u32 = 4;
    /// The operation panics: the program is to be aborted.
    pub const ABORT: u32 = 8;
}

impl fmt::Display for RuntimeFn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
