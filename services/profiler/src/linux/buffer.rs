//! The memory into which the signal handler writes stacks: a mapping of its own, so that all of it is returned to the system,
//! and pages are allocated only when they are used.
#![expect(unsafe_code, reason = "maps memory that signal handlers of several threads write to")]

use std::{
    io, ptr,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

/// 4 MiB: a minute of two busy cores, at 40 frames per stack.
const WORDS: usize = 4 * 1024 * 1024 / size_of::<u64>();

/// Stacks, each after a word with the thread's index and the number of frames.
pub(super) struct Buffer {
    words: *mut AtomicU64,
    next: AtomicUsize,
}

// SAFETY: the words are atomic, and the mapping lives as long as this.
unsafe impl Send for Buffer {}
// SAFETY: as above.
unsafe impl Sync for Buffer {}

impl Buffer {
    pub(super) fn new() -> io::Result<Self> {
        let (access, kind) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: it is a new mapping, and touches no existing memory.
        let words = unsafe { libc::mmap(ptr::null_mut(), WORDS * 8, access, kind, -1, 0) };
        if words == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { words: words.cast(), next: AtomicUsize::new(0) })
    }

    /// Writes a stack; `false` if there is no room. Neither waits nor allocates.
    pub(super) fn push(&self, thread: u32, stack: &[u64]) -> bool {
        let start = self.next.fetch_add(1 + stack.len(), Relaxed);
        if start + 1 + stack.len() > WORDS {
            return false;
        }
        let head = u64::from(thread) << 32 | stack.len() as u64;
        for (at, word) in [head].iter().chain(stack).enumerate() {
            // SAFETY: `start + at` is below WORDS, and new mappings are zero, which is a valid AtomicU64.
            unsafe { (*self.words.add(start + at)).store(*word, Relaxed) };
        }
        true
    }

    /// The threads and their stacks.
    pub(super) fn stacks(&mut self) -> impl Iterator<Item = (u32, &[u64])> {
        // SAFETY: `&mut self` says that no handler writes, and an AtomicU64 has the layout of a u64.
        let mut words = unsafe { std::slice::from_raw_parts(self.words.cast::<u64>(), WORDS) };
        std::iter::from_fn(move || {
            let (head, rest) = words.split_first()?;
            // A stack has at least one frame. Zero is the end, or the first stack without room.
            let length = (*head & 0xffff_ffff) as usize;
            let (stack, rest) = (length > 0).then(|| rest.split_at(length))?;
            words = rest;
            Some(((*head >> 32) as u32, stack))
        })
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: it is the mapping of `new`, and nothing refers to it any more.
        unsafe { libc::munmap(self.words.cast(), WORDS * 8) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_are_kept_until_there_is_no_room() {
        let mut buffer = Buffer::new().unwrap();
        assert_eq!(buffer.stacks().count(), 0);
        assert!(buffer.push(7, &[1, 2, 3]) && buffer.push(8, &[4]));
        assert_eq!(buffer.stacks().collect::<Vec<_>>(), [(7, &[1, 2, 3][..]), (8, &[4][..])]);
        let stack = [9; 127];
        let kept = std::iter::repeat_with(|| buffer.push(9, &stack)).take(WORDS / 128 + 1);
        let kept = kept.filter(|kept| *kept).count();
        assert_eq!(kept, (WORDS - 6) / 128);
        assert_eq!(buffer.stacks().count(), 2 + kept);
        assert!(!buffer.push(9, &stack));
    }
}
