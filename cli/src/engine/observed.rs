//! What is observed of a program's runs, and how two observations differ.

use std::collections::{BTreeMap, BTreeSet};

use larrow_interp::{Trap, TrapKind};

/// A channel after the runs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ChannelState {
    /// The waiting elements, oldest first, as their bytes in memory.
    pub contents: Vec<Vec<u8>>,
    /// Whether it is closed.
    pub closed: bool,
}

/// A map's key and value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// A located error that ended the interpreter's run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrapSeen {
    /// What went wrong.
    pub kind: TrapKind,
    /// The whole of it.
    pub trap: Trap,
}

/// What is observed of a program's runs.
///
/// Comparison leaves out what one side cannot know: sites and maps that only one side has (a module before
/// lowering has no sites; an object may leave out what nothing uses), the text of a panic and the number of steps
/// (code after `lower-panic` returns the section's abort code), variables that only one side has. Between
/// `insert-map-lookup` and binding the counts of a run that panicked are unknown, and sites are left out: the panic
/// happens inside the call, before its count.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Observed {
    /// What the last run returned: of a program entry 32 bits; the section's abort code where it panicked. `None`
    /// for a function that returns nothing or a tuple, or that trapped.
    pub ret: Option<u64>,
    /// What every run returned, as far as it did, in order.
    pub returns: Vec<Option<u64>>,
    /// The text of the panic, or `exit`, that ended the last run; the interpreter's knowledge.
    pub aborted: Option<String>,
    /// The packet as the last run left it; empty for programs that see none.
    pub packet: Vec<u8>,
    /// The module's channels.
    pub channels: BTreeMap<String, ChannelState>,
    /// How many elements user space could not send: the channel was full, or closed.
    pub refused: BTreeMap<String, usize>,
    /// The user's maps: sorted entries. Entries of arrays that are all zeros are left out; of queues and stacks the
    /// key is the place, big-endian; the values of several CPUs are added up word by word, as counters are.
    pub maps: BTreeMap<String, Vec<Entry>>,
    /// The variables that can change.
    pub globals: BTreeMap<String, Vec<u8>>,
    /// The outcomes counted at each site, in the order of [`larrow_ir::SiteKind::counters`].
    pub sites: BTreeMap<String, [u64; 4]>,
    /// How the interpreter's run ended, if not well.
    pub trap: Option<TrapSeen>,
    /// Steps of all runs; the interpreter's knowledge.
    pub steps: u64,
}

impl Observed {
    /// How this differs from another observation of the same program on the same inputs; empty if it does not.
    /// Each line names the thing, then this side's value, then the other's.
    pub fn differences(&self, other: &Observed) -> Vec<String> {
        let mut out = Vec::new();
        let kind = |o: &Observed| o.trap.as_ref().map(|t| t.kind);
        if kind(self) != kind(other) {
            let spell = |o: &Observed| o.trap.as_ref().map_or("no trap".into(), |t| t.trap.to_string());
            out.push(format!("trap: {} ≠ {}", spell(self), spell(other)));
            return out;
        }
        if self.returns != other.returns || self.ret != other.ret {
            out.push(differing_returns(self, other));
        }
        if self.packet != other.packet {
            out.push(differing_bytes("packet", &self.packet, &other.packet));
        }
        for (name, mine, theirs) in shared(&self.channels, &other.channels) {
            if mine.closed != theirs.closed {
                let spell = |c: &ChannelState| if c.closed { "closed" } else { "open" };
                out.push(format!("channel @{name}: {} ≠ {}", spell(mine), spell(theirs)));
            }
            if mine.contents != theirs.contents {
                let (mine, theirs) = (spell_all(&mine.contents), spell_all(&theirs.contents));
                out.push(format!("channel @{name}: {mine} ≠ {theirs}"));
            }
        }
        for name in union(&self.refused, &other.refused) {
            let count = |o: &Observed| o.refused.get(name).copied().unwrap_or(0);
            if count(self) != count(other) {
                out.push(format!("sends refused by @{name}: {} ≠ {}", count(self), count(other)));
            }
        }
        for (name, mine, theirs) in shared(&self.maps, &other.maps) {
            out.extend(differing_entries(name, mine, theirs));
        }
        for (name, mine, theirs) in shared(&self.globals, &other.globals) {
            if mine != theirs {
                out.push(differing_bytes(&format!("variable @{name}"), mine, theirs));
            }
        }
        for (name, mine, theirs) in shared(&self.sites, &other.sites) {
            if mine != theirs {
                out.push(format!("site {name}: {mine:?} ≠ {theirs:?}"));
            }
        }
        out
    }
}

/// What both sides have.
fn shared<'a, T>(
    mine: &'a BTreeMap<String, T>,
    theirs: &'a BTreeMap<String, T>,
) -> impl Iterator<Item = (&'a str, &'a T, &'a T)> {
    mine.iter().filter_map(|(name, mine)| theirs.get(name).map(|theirs| (name.as_str(), mine, theirs)))
}

fn union<'a, T>(mine: &'a BTreeMap<String, T>, theirs: &'a BTreeMap<String, T>) -> BTreeSet<&'a str> {
    mine.keys().chain(theirs.keys()).map(String::as_str).collect()
}

fn differing_returns(mine: &Observed, theirs: &Observed) -> String {
    let first = mine.returns.iter().zip(&theirs.returns).position(|(a, b)| a != b);
    let spell = |value: Option<u64>| value.map_or("nothing".to_string(), |v| v.to_string());
    match first {
        Some(run) if mine.returns.len().max(theirs.returns.len()) > 1 => {
            let (a, b) = (spell(mine.returns[run]), spell(theirs.returns[run]));
            format!("result of run {}: {a} ≠ {b}", run + 1)
        }
        Some(_) | None if mine.returns.len() == theirs.returns.len() => {
            format!("result: {} ≠ {}", spell(mine.ret), spell(theirs.ret))
        }
        Some(_) | None => format!("runs: {} ≠ {}", mine.returns.len(), theirs.returns.len()),
    }
}

fn differing_bytes(what: &str, mine: &[u8], theirs: &[u8]) -> String {
    if mine.len() != theirs.len() {
        return format!("{what}: {} bytes ≠ {} bytes", mine.len(), theirs.len());
    }
    let at = mine.iter().zip(theirs).position(|(a, b)| a != b).unwrap_or(0);
    let end = (at + 8).min(mine.len());
    format!("{what}, from byte {at}: {} ≠ {}", hex(&mine[at..end]), hex(&theirs[at..end]))
}

/// How many differing entries of a map are listed.
const LISTED: usize = 4;

fn differing_entries(name: &str, mine: &[Entry], theirs: &[Entry]) -> Vec<String> {
    let index = |entries: &[Entry]| -> BTreeMap<Vec<u8>, Vec<u8>> { entries.iter().cloned().collect() };
    let (mine, theirs) = (index(mine), index(theirs));
    let keys: BTreeSet<&Vec<u8>> = mine.keys().chain(theirs.keys()).collect();
    let spell = |value: Option<&Vec<u8>>| value.map_or("absent".to_string(), |v| hex(v));
    let differing = keys.into_iter().filter(|key| mine.get(*key) != theirs.get(*key));
    let mut lines: Vec<String> = differing
        .map(|key| {
            format!("map @{name}[{}]: {} ≠ {}", hex(key), spell(mine.get(key)), spell(theirs.get(key)))
        })
        .collect();
    if lines.len() > LISTED {
        let more = lines.len() - LISTED;
        lines.truncate(LISTED);
        lines.push(format!("map @{name}: {more} more entries differ"));
    }
    lines
}

/// How many elements of a channel are listed.
const ELEMENTS: usize = 8;

fn spell_all(elements: &[Vec<u8>]) -> String {
    let mut shown: Vec<String> = elements.iter().take(ELEMENTS).map(|e| hex(e)).collect();
    if elements.len() > ELEMENTS {
        shown.push(format!("… ({} in all)", elements.len()));
    }
    format!("[{}]", shown.join(" "))
}

/// Bytes as they lie in memory; `·` for none.
fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() { "·".into() } else { bytes.iter().map(|b| format!("{b:02x}")).collect() }
}
