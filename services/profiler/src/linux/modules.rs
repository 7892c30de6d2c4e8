//! The programs and libraries that this process consists of.
#![expect(
    unsafe_code,
    reason = "reads the unwind tables where they are mapped: a copy would be megabytes"
)]

use std::{
    fs::{self, File},
    io::{self, Cursor, Read, Seek, SeekFrom},
    ops::Range,
};

use framehop::{ExplicitModuleSectionInfo, Module as Tables, Unwinder as _};

use super::{
    elf::{Elf, Section},
    handler::Unwinder,
};

/// The kernel's library, which is not a file.
const VDSO: &str = "[vdso]";

/// A mapped part of a file.
struct Mapping {
    memory: Range<u64>,
    readable: bool,
    executable: bool,
    offset: u64,
    path: String,
}

/// A program or library.
pub(super) struct Module {
    /// From its first to its last mapping.
    pub(super) memory: Range<u64>,
    /// The load address: the number to add to the file's addresses.
    pub(super) bias: u64,
    pub(super) path: String,
    elf: Elf<Source>,
}

enum Source {
    File(File),
    Memory(Cursor<&'static [u8]>),
}

impl Read for Source {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(to),
            Self::Memory(memory) => memory.read(to),
        }
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::File(file) => file.seek(to),
            Self::Memory(memory) => memory.seek(to),
        }
    }
}

/// The modules of this process, and an unwinder for them.
pub(super) fn load() -> io::Result<(Vec<Module>, Unwinder)> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let mappings: Vec<_> = maps.lines().filter_map(Mapping::parse).collect();
    let (mut modules, mut unwinder) = (Vec::new(), Unwinder::new());
    for mappings in mappings.chunk_by(|one, next| next.continues(one)) {
        // A module that cannot be read has no names, and stacks end in it.
        if let Some((module, tables)) = Module::open(mappings) {
            unwinder.add_module(tables);
            modules.push(module);
        }
    }
    Ok((modules, unwinder))
}

impl Mapping {
    /// Parses a line like `7f3c…-7f3d… r-xp 00028000 fe:00 1234   /lib/x86_64-linux-gnu/libc.so.6`.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let access = words.next()?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        let offset = number(words.next()?)?;
        let path = words.skip(2).collect::<Vec<_>>().join(" ");
        (path.starts_with('/') || path == VDSO).then_some(Self {
            memory: number(start)?..number(end)?,
            readable: access.starts_with('r'),
            executable: access.contains('x'),
            offset,
            path,
        })
    }

    /// Whether both are parts of one module. The loader maps a module in the order of its file. Others may map the same file,
    /// too, from its beginning: the standard library does to name the functions of a backtrace, and unmaps it later.
    fn continues(&self, before: &Self) -> bool {
        self.path == before.path && self.offset > 0 && self.offset >= before.offset
    }

    fn contains(&self, section: &Section) -> bool {
        let end = self.offset + (self.memory.end - self.memory.start);
        self.readable
            && self.offset <= section.offset
            && section.offset.checked_add(section.size).is_some_and(|last| last <= end)
    }
}

impl Module {
    fn open(mappings: &[Mapping]) -> Option<(Self, Tables<&'static [u8]>)> {
        let (first, last) = (mappings.first()?, mappings.last()?);
        if !mappings.iter().any(|mapping| mapping.executable) {
            return None;
        }
        let source = if first.path == VDSO {
            Source::Memory(Cursor::new(mapped(&first.memory)))
        } else if fs::read_link("/proc/self/exe")
            .is_ok_and(|exe| exe.as_os_str() == first.path.as_str())
        {
            Source::File(File::open("/proc/self/exe").ok()?) // also if the file was replaced since
        } else {
            Source::File(File::open(&first.path).ok()?)
        };
        let elf = Elf::read(source).ok()?;
        let place = |section: &Section| {
            let mapping = mappings.iter().find(|mapping| mapping.contains(section))?;
            Some(mapping.memory.start + (section.offset - mapping.offset))
        };
        let text = elf.section(".text")?;
        let bias = place(text)?.wrapping_sub(text.address);
        let data = |name| {
            let section = elf.section(name)?;
            let start = place(section)?;
            // Elsewhere it is not what the loader mapped.
            (start == bias.wrapping_add(section.address))
                .then(|| mapped(&(start..start + section.size)))
        };
        let range = |name| elf.section(name).map(Section::range);
        let sections = ExplicitModuleSectionInfo {
            text_svma: range(".text"),
            got_svma: range(".got"),
            eh_frame_svma: range(".eh_frame"),
            eh_frame: data(".eh_frame"),
            eh_frame_hdr_svma: range(".eh_frame_hdr"),
            eh_frame_hdr: data(".eh_frame_hdr"),
            ..ExplicitModuleSectionInfo::default()
        };
        let memory = first.memory.start..last.memory.end;
        let tables = Tables::new(first.path.clone(), memory.clone(), bias, sections);
        Some((Self { memory, bias, path: first.path.clone(), elf }, tables))
    }

    /// The names of the functions at these addresses, which must be sorted and in this module.
    pub(super) fn names(&mut self, addresses: &[u64]) -> Vec<Option<String>> {
        let relative: Vec<_> =
            addresses.iter().map(|address| address.wrapping_sub(self.bias)).collect();
        self.elf.names(&relative).unwrap_or_else(|_| vec![None; addresses.len()])
    }

    /// The last part of its path.
    pub(super) fn short(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// The bytes of a readable mapping.
fn mapped(memory: &Range<u64>) -> &'static [u8] {
    let start = std::ptr::with_exposed_provenance(memory.start as usize);
    // SAFETY: /proc/self/maps says that it is readable. The loader maps sections with tables so that they cannot be written to
    // once it is done, and this process unloads no library.
    unsafe { std::slice::from_raw_parts(start, (memory.end - memory.start) as usize) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_maps_is_a_mapping_if_it_is_of_a_file() {
        let line = "7f0a-7f0c r-xp 00028000 fe:00 131   /opt/my app/lib.so (deleted)";
        let mapping = Mapping::parse(line).unwrap();
        assert_eq!((mapping.memory, mapping.offset), (0x7f0a..0x7f0c, 0x28000));
        assert!(mapping.readable && mapping.executable);
        assert_eq!(mapping.path, "/opt/my app/lib.so (deleted)");
        for other in ["7f0a-7f0c rw-p 0 00:00 0", "7f0a-7f0c rw-p 0 00:00 0 [stack]", ""] {
            assert!(Mapping::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_file_that_is_mapped_a_second_time_is_no_part_of_the_module() {
        let maps = "\
1000-9000 r--p 00000000 fe:00 7 /lib/libc.so
a000-b000 r--p 00000000 fe:00 7 /lib/libc.so
b000-c000 r-xp 00001000 fe:00 7 /lib/libc.so
c000-d000 rw-p 00001000 fe:00 7 /lib/libc.so
e000-f000 r--p 00000000 fe:00 7 /lib/libc.so
f000-ff00 r-xp 00001000 fe:00 8 /lib/libm.so";
        let mappings: Vec<_> = maps.lines().filter_map(Mapping::parse).collect();
        let modules = mappings.chunk_by(|one, next| next.continues(one));
        assert_eq!(modules.map(<[_]>::len).collect::<Vec<_>>(), [1, 3, 1, 1]);
    }

    #[test]
    fn this_process_has_its_program_the_c_library_and_the_kernels() {
        let (modules, _) = load().unwrap();
        let own = std::env::current_exe().unwrap();
        for path in [own.to_str().unwrap(), "libc.so", VDSO] {
            assert!(modules.iter().any(|module| module.path.contains(path)), "{path}");
        }
    }
}
