//! The signal handler. It interrupts a thread at any instruction, so it must not wait, allocate, panic or fault.
#![expect(unsafe_code, reason = "std has no signal handlers")]

use std::{
    io, mem, ptr,
    sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use framehop::{
    CacheNative, MustNotAllocateDuringUnwind, UnwindRegsNative, Unwinder as _, UnwinderNative,
};
use parking_lot::Mutex;

use super::buffer::Buffer;

/// Finds the callers of a function without allocating.
pub(super) type Unwinder = UnwinderNative<&'static [u8], MustNotAllocateDuringUnwind>;

/// The most frames of a stack that are kept, innermost first.
const DEPTH: usize = 128;
/// The most bytes of a stack that are read: more than the stacks of threads have.
const DEEPEST: u64 = 16 << 20;
const PAGE: usize = 4096;
/// The most handlers that work at the same time, for some microseconds each; a further sample is lost and counted.
const AT_ONCE: usize = 4;

/// The state that the handlers of all threads share.
pub(super) struct Shared {
    unwinder: Unwinder,
    desks: [Mutex<Desk>; AT_ONCE],
    /// The samples.
    pub(super) buffer: Buffer,
    /// The number of lost samples.
    pub(super) lost: AtomicU64,
}

/// The working memory of one handler: too large for the stack of the interrupted thread.
struct Desk {
    cache: CacheNative<MustNotAllocateDuringUnwind>,
    page: Page,
    stack: [u64; DEPTH],
}

impl Shared {
    pub(super) fn new(unwinder: Unwinder, buffer: Buffer) -> Self {
        let desk = || Desk {
            cache: CacheNative::new_in(),
            page: Page { pid: process_id(), start: 0, words: [0; PAGE / 8] },
            stack: [0; DEPTH],
        };
        let desks = std::array::from_fn(|_| Mutex::new(desk()));
        Self { unwinder, desks, buffer, lost: AtomicU64::new(0) }
    }

    fn sample(&self, thread: u32, pc: u64, sp: u64, registers: UnwindRegsNative) {
        // `try_lock` does not wait; since no handler waits for the lock, unlocking wakes none.
        let desk = self.desks.iter().find_map(Mutex::try_lock);
        let kept = desk.is_some_and(|mut desk| {
            let Desk { cache, page, stack } = &mut *desk;
            page.start = 0;
            let mut read = |address| page.read(sp, address);
            let mut frames = self.unwinder.iter_frames(pc, registers, cache, &mut read);
            let mut depth = 0;
            while let Some(place) = stack.get_mut(depth)
                && let Ok(Some(frame)) = frames.next()
            {
                *place = frame.address_for_lookup();
                depth += 1;
            }
            self.buffer.push(thread, &stack[..depth])
        });
        if !kept {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A copy of a piece of the stack.
struct Page {
    pid: i32,
    start: u64,
    words: [u64; PAGE / 8],
}

impl Page {
    fn read(&mut self, sp: u64, address: u64) -> Result<u64, ()> {
        if address < sp || address - sp > DEEPEST || !address.is_multiple_of(8) {
            return Err(());
        }
        let start = address & !(PAGE as u64 - 1);
        if start != self.start {
            self.start = 0; // what a failed read leaves is not to be used
            if !copy(self.pid, start, &mut self.words) {
                return Err(());
            }
            self.start = start;
        }
        Ok(self.words[(address - start) as usize / 8])
    }
}

/// Copies memory of this process; `false` if the address is not mapped, where a plain read would crash the process.
fn copy(pid: i32, from: u64, to: &mut [u64; PAGE / 8]) -> bool {
    let local = libc::iovec { iov_base: to.as_mut_ptr().cast(), iov_len: PAGE };
    let remote =
        libc::iovec { iov_base: ptr::with_exposed_provenance_mut(from as usize), iov_len: PAGE };
    // SAFETY: it writes to `to` only, and any bytes are valid words.
    unsafe { libc::process_vm_readv(pid, &local, 1, &remote, 1, 0) == PAGE as isize }
}

fn process_id() -> i32 {
    std::process::id() as i32
}

/// Whether stacks can be read at all: a sandbox may forbid the system call.
pub(super) fn can_read() -> io::Result<()> {
    let here = 0_u64;
    let start = (&raw const here).expose_provenance() as u64 & !(PAGE as u64 - 1);
    if copy(process_id(), start, &mut [0; PAGE / 8]) {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

static ACTIVE: AtomicPtr<Shared> = AtomicPtr::new(ptr::null_mut());
static IN_FLIGHT: AtomicUsize = AtomicUsize::new(0);

extern "C" fn on_signal(_: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    IN_FLIGHT.fetch_add(1, Ordering::SeqCst);
    // SAFETY: the kernel passes valid pointers to a handler with SA_SIGINFO. `Handler` frees what ACTIVE points to only when
    // it is null and no handler is in flight.
    unsafe {
        let errno = *libc::__errno_location();
        // A signal from another process has no index of a timer.
        if let Some(shared) = ACTIVE.load(Ordering::SeqCst).as_ref()
            && (*info).si_code == libc::SI_TIMER
        {
            let thread = (*info).si_value().sival_ptr.addr() as u32;
            let (pc, sp, registers) = registers(&*context.cast::<libc::ucontext_t>());
            shared.sample(thread, pc, sp, registers);
        }
        *libc::__errno_location() = errno;
    }
    IN_FLIGHT.fetch_sub(1, Ordering::SeqCst);
}

#[cfg(target_arch = "x86_64")]
fn registers(context: &libc::ucontext_t) -> (u64, u64, UnwindRegsNative) {
    let register = |name: libc::c_int| context.uc_mcontext.gregs[name as usize] as u64;
    let (pc, sp) = (register(libc::REG_RIP), register(libc::REG_RSP));
    (pc, sp, UnwindRegsNative::new(pc, sp, register(libc::REG_RBP)))
}

#[cfg(target_arch = "aarch64")]
fn registers(context: &libc::ucontext_t) -> (u64, u64, UnwindRegsNative) {
    /// Addresses have 48 bits; the bits above may be the signature of a return address (pointer authentication).
    const MASK: framehop::aarch64::PtrAuthMask = framehop::aarch64::PtrAuthMask((1 << 48) - 1);
    let machine = &context.uc_mcontext;
    let (fp, lr) = (machine.regs[29], machine.regs[30]);
    let registers = UnwindRegsNative::new_with_ptr_auth_mask(MASK, lr, machine.sp, fp);
    (machine.pc, machine.sp, registers)
}

/// The handler while it is installed. Dropping it uninstalls it.
pub(super) struct Handler {
    before: libc::sigaction,
    shared: *mut Shared,
}

impl Handler {
    pub(super) fn install(shared: Box<Shared>) -> io::Result<Self> {
        // SAFETY: plain data, for which zero is valid.
        let (mut action, mut before): (libc::sigaction, libc::sigaction) =
            unsafe { (mem::zeroed(), mem::zeroed()) };
        let handler: extern "C" fn(_, _, _) = on_signal;
        action.sa_sigaction = handler as libc::sighandler_t;
        // Interrupted system calls are restarted.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        let shared = Box::into_raw(shared);
        ACTIVE.store(shared, Ordering::SeqCst);
        // SAFETY: `on_signal` does only what a signal handler may.
        if unsafe { libc::sigaction(libc::SIGPROF, &action, &mut before) } != 0 {
            let error = io::Error::last_os_error();
            drop(Self { before, shared });
            return Err(error);
        }
        Ok(Self { before, shared })
    }

    /// Uninstalls the handler and returns the samples. The timers must have been deleted.
    pub(super) fn remove(self) -> Box<Shared> {
        self.stop();
        // SAFETY: it came from a Box, no handler knows of it any more, and `drop` does not run.
        let shared = unsafe { Box::from_raw(self.shared) };
        mem::forget(self);
        shared
    }

    fn stop(&self) {
        // SAFETY: as in `install`. Ignoring the signal discards pending ones, also of threads that block it: with the previous
        // disposition, a pending one would end the process.
        unsafe {
            let mut ignored: libc::sigaction = mem::zeroed();
            ignored.sa_sigaction = libc::SIG_IGN;
            libc::sigaction(libc::SIGPROF, &ignored, ptr::null_mut());
            libc::sigaction(libc::SIGPROF, &self.before, ptr::null_mut());
        }
        ACTIVE.store(ptr::null_mut(), Ordering::SeqCst);
        while IN_FLIGHT.load(Ordering::SeqCst) != 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.stop();
        // SAFETY: as in `remove`.
        drop(unsafe { Box::from_raw(self.shared) });
    }
}
