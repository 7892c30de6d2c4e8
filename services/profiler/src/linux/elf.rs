//! The part of ELF that function names need, read piece by piece: a program's symbols are megabytes, and a pod has little
//! memory.
//! <https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html>

use std::{
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
};

const SYMBOLS: u32 = 2;
const DYNAMIC_SYMBOLS: u32 = 11;
const SECTION: usize = 64;
const SYMBOL: usize = 24;
/// Longer names are cut, and shown as they are.
const LONGEST_NAME: u64 = 4096;
/// The symbols that are read at once.
const AT_ONCE: usize = 2048;

/// A 64-bit little-endian program or library.
pub(super) struct Elf<R> {
    file: R,
    sections: Vec<Section>,
}

pub(super) struct Section {
    name: String,
    kind: u32,
    /// Its address once loaded, relative to the load address of the file.
    pub(super) address: u64,
    pub(super) offset: u64,
    pub(super) size: u64,
    /// The section that it refers to: for symbols, the section with their names.
    link: usize,
}

impl Section {
    pub(super) fn range(&self) -> Range<u64> {
        self.address..self.address.saturating_add(self.size)
    }
}

/// The function at an address.
struct Found {
    start: u64,
    name: u64,
    names: usize,
}

impl<R: Read + Seek> Elf<R> {
    pub(super) fn read(mut file: R) -> io::Result<Self> {
        let mut header = [0; 64];
        read_at(&mut file, 0, &mut header)?;
        if header[..6] != *b"\x7fELF\x02\x01" {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not 64-bit little-endian ELF"));
        }
        let mut table = vec![0; SECTION * usize::from(u16_at(&header, 0x3c))];
        read_at(&mut file, u64_at(&header, 0x28), &mut table)?;
        let mut sections: Vec<_> = table.chunks_exact(SECTION).map(Section::parse).collect();
        let names = sections.get(usize::from(u16_at(&header, 0x3e))).map(|names| names.offset);
        for (section, entry) in sections.iter_mut().zip(table.chunks_exact(SECTION)) {
            let at = names.unwrap_or_default() + u64::from(u32_at(entry, 0));
            section.name = text_at(&mut file, at, 64)?;
        }
        Ok(Self { file, sections })
    }

    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// The names of the functions that contain these addresses, which are sorted; `None` where there is no symbol.
    pub(super) fn names(&mut self, addresses: &[u64]) -> io::Result<Vec<Option<String>>> {
        let mut found: Vec<Option<Found>> = addresses.iter().map(|_| None).collect();
        for section in &self.sections {
            if matches!(section.kind, SYMBOLS | DYNAMIC_SYMBOLS) {
                find(&mut self.file, section, addresses, &mut found)?;
            }
        }
        let mut last: Option<(u64, Option<String>)> = None;
        let mut names = Vec::with_capacity(addresses.len());
        for found in found {
            let Some(found) = found else {
                names.push(None);
                continue;
            };
            // Addresses are sorted, so that those of one function follow each other.
            if last.as_ref().is_none_or(|(start, _)| *start != found.start) {
                let table = self.sections.get(found.names).map_or(0, |names| names.offset);
                let name = text_at(&mut self.file, table + found.name, LONGEST_NAME)?;
                last = Some((found.start, (!name.is_empty()).then_some(name)));
            }
            names.push(last.as_ref().and_then(|(_, name)| name.clone()));
        }
        Ok(names)
    }
}

impl Section {
    fn parse(entry: &[u8]) -> Self {
        Self {
            name: String::new(),
            kind: u32_at(entry, 4),
            address: u64_at(entry, 0x10),
            offset: u64_at(entry, 0x18),
            size: u64_at(entry, 0x20),
            link: u32_at(entry, 0x28) as usize,
        }
    }
}

fn find<R: Read + Seek>(
    file: &mut R,
    section: &Section,
    addresses: &[u64],
    found: &mut [Option<Found>],
) -> io::Result<()> {
    let mut piece = vec![0; SYMBOL * AT_ONCE];
    let mut rest = section.size as usize / SYMBOL * SYMBOL;
    let mut offset = section.offset;
    while rest > 0 {
        let size = rest.min(piece.len());
        read_at(file, offset, &mut piece[..size])?;
        for symbol in piece[..size].chunks_exact(SYMBOL) {
            let Some(function) = function(symbol) else { continue };
            let first = addresses.partition_point(|address| *address < function.start);
            let end = addresses.partition_point(|address| *address < function.end);
            for found in &mut found[first..end] {
                if found.as_ref().is_none_or(|other| other.start < function.start) {
                    let name = u64::from(u32_at(symbol, 0));
                    *found = Some(Found { start: function.start, name, names: section.link });
                }
            }
        }
        rest -= size;
        offset += size as u64;
    }
    Ok(())
}

/// The addresses of a symbol's function; `None` if the symbol is not a function, or is not defined in this file.
fn function(symbol: &[u8]) -> Option<Range<u64>> {
    const FUNCTION: u8 = 2;
    const CHOSEN_AT_RUN_TIME: u8 = 10;
    let defined = u16_at(symbol, 6) != 0;
    let start = u64_at(symbol, 8);
    (defined && matches!(symbol[4] & 15, FUNCTION | CHOSEN_AT_RUN_TIME))
        .then(|| start..start.saturating_add(u64_at(symbol, 16)))
}

fn read_at<R: Read + Seek>(file: &mut R, offset: u64, to: &mut [u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(to)
}

/// The text up to a zero byte.
fn text_at<R: Read + Seek>(file: &mut R, offset: u64, longest: u64) -> io::Result<String> {
    let mut text = Vec::new();
    let mut piece = [0; 128];
    file.seek(SeekFrom::Start(offset))?;
    while (text.len() as u64) < longest {
        let read = file.read(&mut piece)?;
        let end = piece[..read].iter().position(|byte| *byte == 0);
        text.extend_from_slice(&piece[..end.unwrap_or(read)]);
        if end.is_some() || read == 0 {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    std::array::from_fn(|byte| bytes[at + byte])
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Cursor};

    use super::*;

    #[inline(never)]
    extern "C" fn darn(hole: u64) -> u64 {
        std::hint::black_box(hole) + 1
    }

    #[test]
    fn a_function_of_this_program_has_its_name() {
        let mut elf = Elf::read(File::open("/proc/self/exe").unwrap()).unwrap();
        // The first mapping of a program is where the file is loaded.
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let loaded = u64::from_str_radix(maps.split('-').next().unwrap(), 16).unwrap();
        let address = darn as *const () as u64 - loaded;
        let names = elf.names(&[0, address, address + 1, u64::MAX]).unwrap();
        let named = |name: &Option<String>| name.as_ref().is_some_and(|name| name.contains("darn"));
        assert_eq!(names.iter().map(named).collect::<Vec<_>>(), [false, true, true, false]);
        assert!(elf.section(".eh_frame").is_some() && elf.section(".none").is_none());
    }

    #[test]
    fn what_is_no_program_is_refused() {
        for bytes in [&b""[..], b"\x7fELF", &[0; 64], b"#!/bin/sh\nexit 0\n"] {
            assert!(Elf::read(Cursor::new(bytes)).is_err());
        }
        let mut cut = b"\x7fELF\x02\x01".to_vec();
        cut.resize(64, 0xff);
        assert!(Elf::read(Cursor::new(cut)).is_err());
    }
}
