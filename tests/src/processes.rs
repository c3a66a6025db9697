//! Which processes of the machine there are.

/// The children of a process that have not ended.
pub fn children_of(parent: u32) -> Vec<i32> {
    let parent = parent.to_string();
    all()
        .filter(|pid| {
            let status = read(*pid, "stat");
            let status = String::from_utf8_lossy(&status);
            let fields = status.rsplit_once(')').map_or("", |(_, rest)| rest);
            let mut fields = fields.split_whitespace();
            fields.next() != Some("Z") && fields.next() == Some(&parent)
        })
        .collect()
}

/// The processes with this word among their arguments.
pub fn processes_with(word: &str) -> Vec<i32> {
    all()
        .filter(|pid| {
            read(*pid, "cmdline")
                .split(|byte| *byte == 0)
                .any(|argument| argument == word.as_bytes())
        })
        .collect()
}

fn all() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").expect("/proc is there");
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// What the kernel says of a process; nothing if it ended meanwhile.
fn read(pid: i32, file: &str) -> Vec<u8> {
    std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default()
}
