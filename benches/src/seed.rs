//! The program that generated packages run: a static 32-bit x86 ELF file of about a hundred bytes.
//!
//! `tool PATH` prints PATH, computes for a while if it was made to, makes the file PATH, writes
//! PATH and a number of blocks into it, and exits with 0 when all was written. Two packages with
//! different paths give different trees.
//!
//! | part | bytes |
//! |---|---|
//! | ELF header | 52 |
//! | program header | 32 |
//! | code | the rest |

use data_encoding::HEXUPPER;
use sha2::{Digest as _, Sha256};

/// Where the file is loaded.
const BASE: u32 = 0x0001_0000;
/// Length of both headers.
const HEADERS: u32 = 84;
/// Bytes of one block, which come from zeroed memory after the file.
const BLOCK: u32 = 0x0001_0000;

/// How much the program does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Rounds of an empty loop, about one per nanosecond.
    pub rounds: u32,
    /// Blocks of 64 KiB in the file.
    pub blocks: u32,
}

/// One piece of the program: its bytes and what they are.
type Piece = (Vec<u8>, &'static str);

/// Returns the annotated hexadecimal text of the program.
pub fn hex_text(work: Work) -> String {
    let mut text =
        String::from("# A program for 32-bit x86 Linux: `tool PATH` makes the file PATH.\n");
    for (bytes, comment) in pieces(work) {
        text.push_str(&format!("{:<48}# {comment}\n", spaced(&bytes)));
    }
    text
}

/// Returns the lock of a seed, as definitions and allow-lists write it.
pub fn lock(work: Work) -> String {
    format!(
        "sha256:{}",
        data_encoding::HEXLOWER.encode(&Sha256::digest(program(work)))
    )
}

/// Returns the bytes of the program.
pub fn program(work: Work) -> Vec<u8> {
    pieces(work)
        .into_iter()
        .flat_map(|(bytes, _)| bytes)
        .collect()
}

fn spaced(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| HEXUPPER.encode(&[*byte]))
        .collect::<Vec<_>>()
        .join(" ")
}

fn pieces(work: Work) -> Vec<Piece> {
    let code = code(work);
    let code_length: usize = code.iter().map(|(bytes, _)| bytes.len()).sum();
    let length = HEADERS + u32::try_from(code_length).expect("a short program");
    let number = |value: u32| value.to_le_bytes().to_vec();
    let mut pieces: Vec<Piece> = vec![
        (vec![0x7f, 0x45, 0x4c, 0x46], "the mark of an ELF file"),
        (vec![1, 1, 1, 0], "32-bit, little-endian, version 1"),
        (vec![0; 8], "padding"),
        (vec![2, 0, 3, 0], "an executable for i386"),
        (number(1), "version 1"),
        (number(BASE + HEADERS), "entry: the first byte of code"),
        (number(52), "program header after this one"),
        (vec![0; 8], "no section headers, no flags"),
        (
            vec![52, 0, 32, 0, 1, 0],
            "sizes of the headers, one program header",
        ),
        (vec![0; 6], "no section headers"),
        (number(1), "load"),
        (number(0), "from the beginning of the file"),
        (number(BASE), "to this address"),
        (number(BASE), "the same, not used"),
        (number(length), "length in the file"),
        (
            number(length + BLOCK),
            "length in memory: a block of zeros follows",
        ),
        (number(6 + 1), "read, write, execute"),
        (number(0x1000), "aligned to a page"),
    ];
    pieces.extend(code);
    pieces
}

/// Returns the code; the zeros for blocks follow it in memory.
fn code(work: Work) -> Vec<Piece> {
    let unplaced = assemble(work, 0);
    let length: usize = unplaced.iter().map(|(bytes, _)| bytes.len()).sum();
    assemble(
        work,
        BASE + HEADERS + u32::try_from(length).expect("a short program"),
    )
}

fn assemble(work: Work, zeros: u32) -> Vec<Piece> {
    let with = |opcode: u8, value: u32| {
        let mut bytes = vec![opcode];
        bytes.extend(value.to_le_bytes());
        bytes
    };
    let mut code: Vec<Piece> = vec![
        (vec![0x5b], "pop ebx          argc"),
        (vec![0x5b], "pop ebx          argv[0]"),
        (vec![0x5e], "pop esi          argv[1], the path"),
        (vec![0x31, 0xd2], "xor edx, edx"),
        (vec![0x80, 0x3c, 0x16, 0x00], "cmp byte [esi+edx], 0"),
        (vec![0x74, 0x03], "je +3"),
        (vec![0x42], "inc edx          the length of the path"),
        (vec![0xeb, 0xf7], "jmp -9"),
        (vec![0x89, 0xf1], "mov ecx, esi     the path"),
        (vec![0x6a, 0x01, 0x5b], "push 1; pop ebx  standard output"),
        (vec![0x6a, 0x04, 0x58], "push 4; pop eax  write"),
        (vec![0xcd, 0x80], "int 0x80"),
    ];
    if work.rounds > 0 {
        code.push((with(0xb9, work.rounds), "mov ecx, rounds"));
        code.push((vec![0x49], "dec ecx"));
        code.push((vec![0x75, 0xfd], "jne -3"));
    }
    code.extend([
        (vec![0x89, 0xf3], "mov ebx, esi     the path"),
        (with(0xb9, 0o644), "mov ecx, 0644"),
        (vec![0x6a, 0x08, 0x58], "push 8; pop eax  creat"),
        (vec![0xcd, 0x80], "int 0x80"),
        (vec![0x93], "xchg ebx, eax    the file"),
        (vec![0x89, 0xf1], "mov ecx, esi     the path"),
        (vec![0x6a, 0x04, 0x58], "push 4; pop eax  write"),
        (vec![0xcd, 0x80], "int 0x80"),
    ]);
    if work.blocks > 0 {
        code.extend([
            (with(0xbf, work.blocks), "mov edi, blocks"),
            (with(0xb9, zeros), "mov ecx, zeros after the file"),
            (with(0xba, BLOCK), "mov edx, the size of a block"),
            (vec![0x6a, 0x04, 0x58], "push 4; pop eax  write"),
            (vec![0xcd, 0x80], "int 0x80"),
            (vec![0x39, 0xd0], "cmp eax, edx"),
            (vec![0x75, 0x03], "jne +3           not all was written"),
            (vec![0x4f], "dec edi"),
            (vec![0x75, 0xf4], "jne -12"),
        ]);
    }
    code.extend([
        (vec![0x31, 0xdb], "xor ebx, ebx"),
        (vec![0x29, 0xd0], "sub eax, edx     was all written?"),
        (vec![0x0f, 0x95, 0xc3], "setne bl         the exit status"),
        (vec![0x6a, 0x01, 0x58], "push 1; pop eax  exit"),
        (vec![0xcd, 0x80], "int 0x80"),
    ]);
    code
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::process::{Command, Output};

    use super::{Work, hex_text, lock, program};

    fn run(work: Work, path: &Path) -> Output {
        let folder = tempfile::tempdir().unwrap();
        let tool = folder.path().join("tool");
        std::fs::write(&tool, program(work)).unwrap();
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        loop {
            match Command::new(&tool).arg(path).output() {
                // Another test's child holds the file open until it executes its own program.
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {}
                output => return output.unwrap(),
            }
        }
    }

    #[test]
    fn the_program_writes_its_path_and_its_blocks() {
        let folder = tempfile::tempdir().unwrap();
        for (rounds, blocks) in [(0, 0), (1000, 3)] {
            let file = folder.path().join(format!("file-{blocks}"));
            let output = run(Work { rounds, blocks }, &file);
            assert!(output.status.success(), "{:?}", output.status);
            let path = file.as_os_str().as_encoded_bytes();
            assert_eq!(output.stdout, path);
            let zeros = vec![0; blocks as usize * 65536];
            assert_eq!(std::fs::read(&file).unwrap(), [path, &zeros].concat());
        }
    }

    #[test]
    fn a_program_that_cannot_write_says_so() {
        for work in [
            Work::default(),
            Work {
                rounds: 1,
                blocks: 1,
            },
        ] {
            assert!(!run(work, Path::new("/gone/file")).status.success());
            assert!(!run(work, Path::new("/dev/full")).status.success());
        }
    }

    #[test]
    fn the_text_decodes_to_the_program() {
        let work = Work {
            rounds: 5,
            blocks: 2,
        };
        let digits: String = hex_text(work)
            .lines()
            .map(|line| line.split('#').next().unwrap().replace(' ', ""))
            .collect();
        assert_eq!(
            data_encoding::HEXUPPER.decode(digits.as_bytes()).unwrap(),
            program(work)
        );
        assert_eq!(lock(work).len(), 71);
    }
}
