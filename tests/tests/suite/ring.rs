//! One channel between two CPUs: threads pinned to either send and receive in the kernel while another sends and
//! receives over shared memory. Nothing is lost, nothing comes twice, and each sender's elements stay in order.
#![expect(
    clippy::print_stderr,
    reason = "a skipped test must be seen, and figures are the point of this one"
)]

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use larrow::engine::{Inputs, Loaded, Observed};
use larrow_backend_bpf::kernel::{LoadedObject, RunInput};
use larrow_backend_bpf::ring::{Received, RingEnd, Sent, Shared};
use larrow_backend_bpf::runtime::{Instance, Ring};
use larrow_backend_bpf::{TargetOptions, target};
use larrow_ir::{Module, SiteKind, text};
use larrow_passes::Options;

use crate::gate::{kernel_or_skip, skip};

/// How many elements each of the two senders in the kernel sends, and the one in user space.
const IN_KERNEL: u64 = 1_500_000;
const IN_USER: u64 = 300_000;
/// The senders' numbers: those in the kernel stand in the packet.
const KERNEL_SENDERS: [u8; 2] = [1, 2];
const USER_SENDER: u8 = 3;
/// How many elements a run of a program handles at most.
const PER_RUN: u64 = 64;
/// Runs per system call. Before it repeats an XDP program the kernel patches its own code, under a lock and with a
/// grace period: a call that repeats takes milliseconds, however little it does.
const REPEAT: u32 = 1;
/// Past this time something hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// What a receiver saw.
#[derive(Default, PartialEq, Debug)]
struct Tally {
    count: u64,
    sum: u64,
    squares: u64,
    /// Elements that came after a later one of the same sender.
    disorder: u64,
    /// How often an element came from another sender than the one before.
    changes: u64,
    before: u64,
    last: [u64; 4],
}

impl Tally {
    fn add(&mut self, elem: u64) {
        let sender = elem >> 48;
        self.count += 1;
        self.sum = self.sum.wrapping_add(elem);
        self.squares = self.squares.wrapping_add(elem.wrapping_mul(elem));
        self.changes += u64::from(sender != self.before);
        self.before = sender;
        let last = &mut self.last[sender as usize & 3];
        self.disorder += u64::from(*last >= elem);
        *last = elem;
    }

    /// What the receiver in the kernel left in its variables.
    fn of(observed: &Observed) -> Tally {
        let word = |name: &str| {
            let bytes = &observed.globals[name];
            u64::from_le_bytes(bytes[..].try_into().expect("the variables have 64 bits"))
        };
        Tally {
            count: word("count"),
            sum: word("sum"),
            squares: word("squares"),
            disorder: word("disorder"),
            changes: word("changes"),
            ..Tally::default()
        }
    }

    /// What is in the channel altogether if each sender has sent this many.
    fn sent(by_sender: &[(u8, u64)]) -> Tally {
        let mut all = Tally::default();
        for &(sender, count) in by_sender {
            (1..=count).for_each(|n| all.add(u64::from(sender) << 48 | n));
        }
        all
    }
}

/// What the thread in user space did.
#[derive(Default)]
struct User {
    received: Tally,
    sent: u64,
    refused: u64,
    contended: u64,
    /// How often another CPU was seen at work while this thread did not leave its own.
    witnessed: u64,
}

/// Puts the calling thread on one CPU.
#[expect(unsafe_code, reason = "the standard library cannot pin threads")]
fn pin(cpu: usize) {
    // SAFETY: the set is plain bits, all zeros is an empty one, and it is handed over with its size; 0 means the
    // calling thread.
    let done = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
    };
    assert_eq!(done, 0, "pinning to CPU {cpu}: {}", std::io::Error::last_os_error());
}

/// The CPUs that this process may run on.
#[expect(unsafe_code, reason = "the standard library tells their number only")]
fn cpus() -> Vec<usize> {
    // SAFETY: the kernel fills in the set, whose size stands beside it.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set);
        set
    };
    // SAFETY: the numbers are below the set's size.
    (0..libc::CPU_SETSIZE as usize).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) }).collect()
}

/// The processor time that the calling thread has had.
#[expect(unsafe_code, reason = "the standard library does not tell")]
fn worked() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills in the time.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Lets other threads of the CPU go first where this one got nothing done.
fn make_way(idle: bool) {
    if idle {
        std::thread::yield_now();
    }
}

/// Sends in the kernel until `IN_KERNEL` are in the channel, and a few more. Returns how often it tried.
fn send_in_kernel(loaded: &LoadedObject, sender: u8, deadline: Instant) -> u64 {
    let program = loaded.program("sender").expect("the module has it");
    let mut packet = vec![0; 64];
    packet[0] = sender;
    let input = RunInput { data: packet, ctx: None, repeat: REPEAT };
    let mut tries = 0;
    let sent = loaded.map("sent").expect("the module has it");
    while Instant::now() < deadline {
        let last = program.test_run(&input).expect("the program runs").retval;
        tries += PER_RUN * u64::from(REPEAT);
        make_way(last == 0);
        let count = sent.lookup(&u32::from(sender).to_le_bytes()).expect("an array").expect("in range");
        if u64::from_le_bytes(count.try_into().expect("64 bits")) >= IN_KERNEL {
            return tries;
        }
    }
    panic!("sender {sender} is not done after {LIMIT:?}");
}

/// Receives in the kernel until the senders are done. Returns how often it tried.
fn receive_in_kernel(loaded: &LoadedObject, senders: &AtomicUsize) -> u64 {
    let program = loaded.program("receiver").expect("the module has it");
    let input = RunInput { data: Vec::new(), ctx: None, repeat: REPEAT };
    let mut tries = 0;
    while senders.load(Ordering::SeqCst) > 0 {
        let last = program.test_run(&input).expect("the program runs").retval;
        tries += PER_RUN * u64::from(REPEAT);
        make_way(last == 0);
    }
    tries
}

/// Counts a sender as done when it goes, also by a panic.
struct Done<'a>(&'a AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl User {
    /// Receives over shared memory, and sends an element for every few it receives, until nobody sends any more.
    fn work(end: &RingEnd<Shared<'_>>, senders: &AtomicUsize, deadline: Instant) -> User {
        let mut user = User::default();
        let mut own = Some(Done(senders));
        while senders.load(Ordering::SeqCst) > 0 {
            assert!(Instant::now() < deadline, "user space is not done after {LIMIT:?}");
            let (before, switches) = (user.received.count + user.sent, switches());
            let witnessed = user.batch(end);
            user.witnessed += if switches == self::switches() { witnessed } else { 0 };
            make_way(before == user.received.count + user.sent);
            if user.sent == IN_USER {
                own = None;
            }
        }
        drop(own);
        user
    }

    /// Some operations. How often others were seen to get on meanwhile: an empty channel had an element, or a full
    /// one room.
    fn batch(&mut self, end: &RingEnd<Shared<'_>>) -> u64 {
        let (mut witnessed, mut empty, mut full) = (0, false, false);
        for _ in 0..256 {
            let mut elem = [0; 8];
            match end.recv(&mut elem) {
                Received::Received => {
                    self.received.add(u64::from_le_bytes(elem));
                    witnessed += u64::from(empty && elem[6] != USER_SENDER);
                    (empty, full) = (false, false);
                }
                Received::Contended => self.contended += 1,
                Received::Empty => empty = true,
                Received::Closed => panic!("nobody closes the channel"),
            }
            if self.sent == IN_USER || !self.received.count.is_multiple_of(4) {
                continue;
            }
            let next = u64::from(USER_SENDER) << 48 | (self.sent + 1);
            match end.send(&next.to_le_bytes()) {
                Sent::Sent => {
                    self.sent += 1;
                    witnessed += u64::from(full);
                    full = false;
                }
                Sent::Full => (self.refused, full) = (self.refused + 1, true),
                Sent::Contended => self.contended += 1,
                Sent::Closed => panic!("nobody closes the channel"),
            }
        }
        witnessed
    }
}

/// How often the calling thread has left its CPU.
#[expect(unsafe_code, reason = "the standard library does not tell")]
fn switches() -> i64 {
    // SAFETY: all zeros is a value of the plain numbers that the kernel fills in.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage);
        usage
    };
    usage.ru_nvcsw + usage.ru_nivcsw
}

/// What came of the threads' work.
struct Worked {
    send_tries: u64,
    recv_tries: u64,
    user: User,
    /// Processor time of all threads.
    time: Duration,
    wall: Duration,
}

/// Four threads: on either CPU a sender in the kernel; on the first a receiver in the kernel, on the second user
/// space.
fn work(loaded: &LoadedObject, ring: Ring, cpus: [usize; 2]) -> Worked {
    let values = loaded.map("pipe").expect("the channel's map").mmap().expect("channels can be mapped");
    let end = RingEnd::new(ring, Shared { words: values.words64(), bytes: values.bytes() });
    let senders = &AtomicUsize::new(KERNEL_SENDERS.len() + 1);
    let begin = Instant::now();
    let deadline = begin + LIMIT;
    std::thread::scope(|scope| {
        let sending = [0, 1].map(|i| {
            scope.spawn(move || {
                let _done = Done(senders);
                pin(cpus[i]);
                (send_in_kernel(loaded, KERNEL_SENDERS[i], deadline), worked())
            })
        });
        let receiving = scope.spawn(move || {
            pin(cpus[0]);
            (receive_in_kernel(loaded, senders), worked())
        });
        let in_user = scope.spawn(move || {
            pin(cpus[1]);
            (User::work(&end, senders, deadline), worked())
        });
        let sending = sending.map(|thread| thread.join().expect("the sender ends well"));
        let (user, in_user) = in_user.join().expect("user space ends well");
        let (recv_tries, receiving) = receiving.join().expect("the receiver ends well");
        Worked {
            send_tries: sending.iter().map(|(tries, _)| tries).sum(),
            recv_tries,
            user,
            time: sending.iter().map(|(_, time)| *time).sum::<Duration>() + in_user + receiving,
            wall: begin.elapsed(),
        }
    })
}

/// The four counters of the site of a kind; there is one of each.
fn counts(module: &Module, observed: &Observed, kind: SiteKind) -> [u64; 4] {
    let site = module.decls.sites.values().find(|s| s.kind == kind).expect("the module has one");
    observed.sites[&*site.name]
}

/// Sent is received and left, element by element, and what the hooks counted is what happened. Returns whether it
/// was the contest that is wanted: two million operations, both receivers with a share, the senders taking turns,
/// both CPUs seen at work at once.
fn check(level: u8, module: &Module, observed: &Observed, done: &Worked) -> bool {
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("64 bits"));
    let by_sender: Vec<(u8, u64)> = observed.maps["sent"]
        .iter()
        .map(|(key, value)| (key[0], word(value)))
        .chain([(USER_SENDER, done.user.sent)])
        .collect();
    assert_eq!(by_sender.iter().map(|(s, _)| *s).collect::<Vec<_>>(), [1, 2, 3]);
    let in_kernel = Tally::of(observed);
    let in_user = &done.user.received;
    let mut left = Tally::default();
    observed.channels["pipe"].contents.iter().for_each(|elem| left.add(word(elem)));
    let all = Tally::sent(&by_sender);
    let parts = [&in_kernel, in_user, &left];
    let total = |part: fn(&Tally) -> u64| parts.iter().fold(0u64, |sum, t| sum.wrapping_add(part(t)));
    assert_eq!(total(|t| t.count), all.count, "sent = received + left");
    assert_eq!(total(|t| t.sum), all.sum, "each element once: the sums");
    assert_eq!(total(|t| t.squares), all.squares, "each element once: the sums of squares");
    assert_eq!(parts.map(|t| t.disorder), [0; 3], "each sender's elements come in order");
    let [sent, closed, full, contended] = counts(module, observed, SiteKind::Send);
    assert_eq!((sent, closed), (all.count - done.user.sent, 0));
    assert_eq!(sent + full + contended, done.send_tries, "each try counted once");
    let [received, closed, empty, starved] = counts(module, observed, SiteKind::Recv);
    assert_eq!((received, closed), (in_kernel.count, 0));
    assert_eq!(received + empty + starved, done.recv_tries, "each try counted once");
    let operations = all.count + in_kernel.count + in_user.count;
    let changes = in_kernel.changes + in_user.changes;
    eprintln!(
        "two CPUs, -l={level}: {operations} operations in {:.2?} ({:.2?} of processor time); sent {sent} in the \
         kernel and {} in user space, full {full}, contended {contended}; received {received} in the kernel and {} \
         in user space, empty {empty}, contended {starved}; left {}; senders took turns {changes} times; user space \
         saw the other CPU at work {} times, was refused {} times and found contention {} times",
        done.wall,
        done.time,
        done.user.sent,
        in_user.count,
        left.count,
        done.user.witnessed,
        done.user.refused,
        done.user.contended,
    );
    // How the work was shared is the scheduler's choice, and the machine may have other things to do.
    operations >= 2_000_000
        && in_kernel.count > 0
        && in_user.count > 0
        && changes > 100
        && done.user.witnessed > 0
}

/// How often the contest is tried: every try must be exact, and one must have been a contest.
const ATTEMPTS: u32 = 5;

#[test]
fn two_cpus_share_a_channel_and_lose_nothing() {
    let name = "two_cpus_share_a_channel_and_lose_nothing";
    if !kernel_or_skip(name) {
        return;
    }
    let cpus = cpus();
    let [first, second, ..] = cpus[..] else {
        return skip(name, &"there is one CPU only");
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/ring/two_cpus.ssa");
    let source = std::fs::read_to_string(path).expect("the case is there");
    for level in [0, 4] {
        let mut module = text::parse("two_cpus.ssa", &source).expect("the case parses").module;
        let pipe = &module.decls.chans[module.decls.chans.id("pipe").expect("declared")];
        let (elem, _) = module.decls.types.chan_parts(pipe.ty).expect("a channel's type");
        let ring = Instance::new(&module.decls, elem, pipe.cap).expect("the ring is small").ring;
        let target = TargetOptions::default();
        let pipeline = target::pipeline(&target);
        let options = Options { level, ..Options::default() };
        let output = target::compile(&mut module, &pipeline, &options, &target, Some(&source), &mut [])
            .unwrap_or_else(|errors| panic!("{errors:#?}"));
        let contested = (0..ATTEMPTS).any(|_| {
            let mut loaded =
                Loaded::new(&output.object, &module).unwrap_or_else(|e| panic!("-l={level}: {e}"));
            let done = work(loaded.inner(), ring, [first, second]);
            // A last run looks at everything; a sender without a number below four sends nothing.
            let observed = loaded
                .run("sender", &Inputs::default().packet([0xff; 64]))
                .unwrap_or_else(|e| panic!("-l={level}: {e}"));
            assert_eq!(observed.ret, Some(0));
            check(level, &module, &observed, &done)
        });
        assert!(contested, "-l={level}: the two CPUs never worked on the channel together");
    }
}
