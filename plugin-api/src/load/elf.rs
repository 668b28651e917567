//! Whether a file is a whole shared library for this machine, by its ELF headers.
//!
//! The dynamic loader maps a file without looking at its length: of one that was cut off, by a copy that broke off, the missing part is found
//! when it is touched, which ends the process with SIGBUS. So the headers are read here first: what they say that the file has must lie within
//! it. (System V ABI, chapters 4 and 5; the numbers of machines are those of `elf.h`.)

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Of the file header, in bytes.
const FILE_HEADER: usize = 64;
/// Of an entry of the program header table, and of the section header table.
const PROGRAM_HEADER: usize = 56;
const SECTION_HEADER: usize = 64;
/// More entries than any library has.
const MOST_ENTRIES: u64 = 4096;

const CLASS_64: u8 = 2;
const LITTLE_ENDIAN: u8 = 1;
const SHARED_OBJECT: u16 = 3;
const LOADED_SEGMENT: u32 = 1;
const DYNAMIC_SEGMENT: u32 = 2;
/// A section that takes no place in the file.
const NO_BITS: u32 = 8;

/// Says what is wrong with a file that begins as an ELF file does; `None` where nothing is, or where this machine's own kind is not known here.
///
/// # Errors
/// The file can't be read.
pub(super) fn problem(file: &File) -> io::Result<Option<String>> {
    let length = file.metadata()?.len();
    let mut header = [0; FILE_HEADER];
    if length < FILE_HEADER as u64 {
        return Ok(Some(format!("it is cut off: it has {length} bytes, less than its first header")));
    }
    file.read_exact_at(&mut header, 0)?;
    let Some(own) = own_machine().filter(|_| cfg!(all(target_endian = "little", target_pointer_width = "64"))) else {
        return Ok(None);
    };
    if header[4] != CLASS_64 || header[5] != LITTLE_ENDIAN {
        return Ok(Some("it is for another kind of machine: not 64-bit and little-endian".to_owned()));
    }
    let (kind, machine) = (u16_at(&header, 16), u16_at(&header, 18));
    if machine != own {
        let (theirs, ours) = (machine_name(machine), machine_name(own));
        return Ok(Some(format!("it is for {theirs}, and this machine is {ours}")));
    }
    if kind != SHARED_OBJECT {
        return Ok(Some("it is an ELF file, but no shared library (an object file or a program)".to_owned()));
    }
    let programs = Table::new(u64_at(&header, 32), u16_at(&header, 54), u16_at(&header, 56), PROGRAM_HEADER);
    if let Some(problem) = programs.problem("program headers", length) {
        return Ok(Some(problem));
    }
    let mut is_loaded = false;
    for entry in programs.entries(file)? {
        let kind = u32_at(&entry, 0);
        let (offset, address, in_file, in_memory) =
            (u64_at(&entry, 8), u64_at(&entry, 16), u64_at(&entry, 32), u64_at(&entry, 40));
        is_loaded |= kind == LOADED_SEGMENT;
        if [LOADED_SEGMENT, DYNAMIC_SEGMENT].contains(&kind) && beyond(offset, in_file, length) {
            return Ok(Some(cut_off(offset, in_file, length)));
        }
        if kind == LOADED_SEGMENT && (in_file > in_memory || address.checked_add(in_memory).is_none()) {
            return Ok(Some("it is damaged: a segment has an impossible size".to_owned()));
        }
    }
    if !is_loaded {
        return Ok(Some("it is damaged: it has nothing that could be loaded".to_owned()));
    }
    // They stand at the end of the file, so that their absence tells that the end is missing. A stripped library may have none.
    let sections = Table::new(u64_at(&header, 40), u16_at(&header, 58), u16_at(&header, 60), SECTION_HEADER);
    if sections.offset == 0 || sections.count == 0 {
        return Ok(None);
    }
    if let Some(problem) = sections.problem("section headers", length) {
        return Ok(Some(problem));
    }
    for entry in sections.entries(file)? {
        let (offset, size) = (u64_at(&entry, 24), u64_at(&entry, 32));
        if u32_at(&entry, 4) != NO_BITS && beyond(offset, size, length) {
            return Ok(Some(cut_off(offset, size, length)));
        }
    }
    Ok(None)
}

/// A table of headers.
struct Table {
    offset: u64,
    size_of_entry: u64,
    count: u64,
    expected_size: usize,
}

impl Table {
    fn new(offset: u64, size_of_entry: u16, count: u16, expected_size: usize) -> Self {
        Self { offset, size_of_entry: size_of_entry.into(), count: count.into(), expected_size }
    }

    fn problem(&self, what: &str, length: u64) -> Option<String> {
        if self.size_of_entry != self.expected_size as u64 || self.count > MOST_ENTRIES {
            return Some(format!("it is damaged: its {what} have an impossible size"));
        }
        let size = self.count * self.size_of_entry;
        beyond(self.offset, size, length).then(|| cut_off(self.offset, size, length))
    }

    fn entries(&self, file: &File) -> io::Result<Vec<Vec<u8>>> {
        let mut all = vec![0; (self.count * self.size_of_entry) as usize];
        file.read_exact_at(&mut all, self.offset)?;
        Ok(all.chunks_exact(self.expected_size).map(<[u8]>::to_vec).collect())
    }
}

fn beyond(offset: u64, size: u64, length: u64) -> bool {
    offset.checked_add(size).is_none_or(|end| end > length)
}

fn cut_off(offset: u64, size: u64, length: u64) -> String {
    format!(
        "it is cut off or damaged: it has {length} bytes, and its headers speak of {}; copy it again",
        offset.saturating_add(size)
    )
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|index| bytes[at + index]))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|index| bytes[at + index]))
}

/// The number of this machine; `None` where it is not in the table.
fn own_machine() -> Option<u16> {
    MACHINES.iter().find(|(_, _, arch)| *arch == std::env::consts::ARCH).map(|(number, ..)| *number)
}

fn machine_name(number: u16) -> String {
    let known = MACHINES.iter().find(|(known, ..)| *known == number);
    known.map_or_else(|| format!("the machine with the number {number}"), |(_, name, _)| (*name).to_owned())
}

/// Numbers of `e_machine`, their names, and the names that Rust has for them.
const MACHINES: [(u16, &str, &str); 7] = [
    (3, "x86 of 32 bits", "x86"),
    (21, "PowerPC of 64 bits", "powerpc64"),
    (22, "S/390", "s390x"),
    (40, "ARM of 32 bits", "arm"),
    (62, "x86-64", "x86_64"),
    (183, "AArch64", "aarch64"),
    (243, "RISC-V", "riscv64"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn problem_of(bytes: &[u8]) -> Option<String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        problem(&file).unwrap()
    }

    /// A library with one segment and one section, for this machine.
    fn library() -> Vec<u8> {
        let mut bytes = vec![0; 400];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        let mut put =
            |at: usize, value: u64, size: usize| bytes[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
        for (at, value, size) in [
            (16, u64::from(SHARED_OBJECT), 2),
            (18, u64::from(own_machine().unwrap()), 2),
            (32, 64, 8),
            (40, 336, 8),
            (54, PROGRAM_HEADER as u64, 2),
            (56, 1, 2),
            (58, SECTION_HEADER as u64, 2),
            (60, 1, 2),
            // The segment: kind, offset, size in the file and in memory.
            (64, u64::from(LOADED_SEGMENT), 4),
            (64 + 32, 300, 8),
            (64 + 40, 600, 8),
            // The section.
            (336 + 24, 120, 8),
            (336 + 32, 100, 8),
        ] {
            put(at, value, size);
        }
        bytes
    }

    #[test]
    fn a_whole_library_has_no_problem_and_one_that_is_cut_anywhere_has() {
        let bytes = library();
        assert_eq!(problem_of(&bytes), None);
        for length in 0..bytes.len() {
            let problem = problem_of(&bytes[..length]).unwrap_or_else(|| panic!("{length} bytes"));
            assert!(problem.contains("cut off"), "{length}: {problem}");
        }
    }

    #[test]
    fn what_the_headers_say_must_be_possible() {
        let with = |at: usize, value: &[u8]| {
            let mut bytes = library();
            bytes[at..at + value.len()].copy_from_slice(value);
            problem_of(&bytes).unwrap_or_default()
        };
        for (at, value, says) in [
            (4, &[1][..], "64-bit"),
            (16, &[2, 0], "no shared library"),
            (18, &[243, 0], "RISC-V"),
            (54, &[1, 0], "program headers"),
            (56, &[0xff, 0xff], "program headers"),
            (64, &[7], "nothing that could be loaded"),
            (64 + 8, &[0xff; 8], "cut off"),
            (64 + 32, &[0xff; 8], "cut off"),
            (64 + 40, &[1, 0], "impossible size"),
            (40, &[0xff; 8], "cut off"),
            (336 + 32, &[0xff; 8], "cut off"),
        ] {
            let problem = with(at, value);
            assert!(problem.contains(says), "{at}: {problem}");
        }
    }

    #[test]
    fn this_program_is_one_or_the_other() {
        // A test program is a shared object as far as ELF is concerned, if it can be placed anywhere.
        let file = File::open(std::env::current_exe().unwrap()).unwrap();
        let problem = problem(&file).unwrap();
        assert!(problem.is_none_or(|problem| problem.contains("no shared library")));
    }
}
