//! One answer of a server, written to a file, on a thread of its own: whoever waits for it can stop
//! waiting at any time, even while a connection is being made.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use crate::problem::Problem;
use crate::web::{Question, Web, header, problem_of_io};

/// How much is read at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Less than this in the time of a stall is next to nothing.
const TRICKLE_BYTES: u64 = 4 * 1024;

/// What a transfer tells while it runs; the last is its end.
#[derive(Debug)]
pub(crate) enum Message {
    /// The answer has begun.
    Begun(Head),
    /// So many bytes of the file are there.
    Written(u64),
    /// It is over.
    Ended(Result<(), Stop>),
}

/// What is known when an answer begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    /// Where in the file the answer begins.
    pub(crate) offset: u64,
    /// How large the whole file is, if the server says so.
    pub(crate) total: Option<u64>,
    /// What the server says that the file is known by, if that is strong enough to go on from.
    pub(crate) validator: Option<String>,
    /// An encoding that was not asked for.
    pub(crate) encoding: Option<String>,
    /// Whether nothing is missing of what is there.
    pub(crate) is_whole: bool,
}

/// Why a transfer ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Because of the server.
    Problem(Problem),
    /// Because of this machine's own disk.
    Disk(io::Error),
    /// What is there of the file does not belong to what the server has.
    OtherFile,
}

/// Starts a transfer into a file, behind what is there of it or anew.
pub(crate) fn start(
    web: &Arc<Web>,
    question: Question,
    file: &File,
) -> io::Result<Receiver<Message>> {
    let (tell, told) = channel();
    let web = Arc::clone(web);
    let file = file.try_clone()?;
    std::thread::Builder::new()
        .name("fetch".to_owned())
        .spawn(move || {
            let ended = run(&web, &question, file, &tell);
            // Nobody may be waiting any more.
            tell.send(Message::Ended(ended)).ok();
        })?;
    Ok(told)
}

fn run(web: &Web, question: &Question, mut file: File, tell: &Sender<Message>) -> Result<(), Stop> {
    let answer = web.ask(question).map_err(Stop::Problem)?;
    let status = answer.status().as_u16();
    let head = head_of(&answer, question)?;
    if head.is_whole {
        tell.send(Message::Begun(head)).ok();
        return Ok(());
    }
    let limit = question.bytes_max;
    if head.total.is_some_and(|total| total > limit) {
        return Err(Stop::Problem(Problem::TooLarge { limit }));
    }
    file.set_len(head.offset).map_err(Stop::Disk)?;
    file.seek(SeekFrom::Start(head.offset))
        .map_err(Stop::Disk)?;
    let (offset, total) = (head.offset, head.total);
    tell.send(Message::Begun(head)).ok();
    let mut body = answer.into_body().into_reader();
    let written = copy(
        &mut body,
        &mut file,
        &Bounds {
            offset,
            total,
            limit,
        },
        web,
        tell,
    )?;
    match total {
        Some(total) if written < total => Err(Stop::Problem(Problem::Truncated {
            received: written,
            expected: Some(total),
        })),
        Some(total) if written > total => Err(Stop::Problem(Problem::Protocol {
            reason: format!("{written} bytes came in answer to status {status}, of {total}"),
        })),
        _ => Ok(()),
    }
}

struct Bounds {
    offset: u64,
    total: Option<u64>,
    limit: u64,
}

/// Copies a body, and returns how long the file is then.
fn copy(
    body: &mut impl Read,
    file: &mut File,
    bounds: &Bounds,
    web: &Web,
    tell: &Sender<Message>,
) -> Result<u64, Stop> {
    let stall = web.options().limits.stall;
    let mut piece = vec![0; PIECE_BYTES];
    let mut written = bounds.offset;
    let (mut since, mut written_then) = (Instant::now(), written);
    loop {
        let count = match body.read(&mut piece) {
            Ok(0) => return Ok(written),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Stop::Problem(problem_of_body(&error, written, bounds, web))),
        };
        if written + count as u64 > bounds.limit {
            let limit = bounds.limit;
            return Err(Stop::Problem(Problem::TooLarge { limit }));
        }
        file.write_all(&piece[..count]).map_err(Stop::Disk)?;
        written += count as u64;
        // Whoever stopped waiting wants no more of it.
        if tell.send(Message::Written(written)).is_err() {
            return Ok(written);
        }
        if since.elapsed() >= stall {
            if written - written_then < TRICKLE_BYTES {
                return Err(Stop::Problem(Problem::Stalled {
                    what: "next to nothing came",
                    limit: stall,
                }));
            }
            (since, written_then) = (Instant::now(), written);
        }
    }
}

fn problem_of_body(error: &io::Error, received: u64, bounds: &Bounds, web: &Web) -> Problem {
    let expected = bounds.total;
    let inner = error
        .get_ref()
        .and_then(|it| it.downcast_ref::<ureq::Error>());
    let is_late =
        matches!(inner, Some(ureq::Error::Timeout(_))) || error.kind() == io::ErrorKind::TimedOut;
    if is_late {
        return Problem::Stalled {
            what: "nothing came",
            limit: web.options().limits.stall,
        };
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => Problem::Truncated { received, expected },
        _ => problem_of_io(error),
    }
}

/// Reads the head of an answer, and refuses what was not asked for.
fn head_of(answer: &ureq::http::Response<ureq::Body>, question: &Question) -> Result<Head, Stop> {
    let protocol = |reason: String| Stop::Problem(Problem::Protocol { reason });
    if let Some(coding) = header(answer, "transfer-encoding")
        && !coding.eq_ignore_ascii_case("chunked")
    {
        return Err(protocol(format!("Transfer-Encoding {coding}, unasked")));
    }
    let length = header(answer, "content-length");
    let length = match length.map(|text| text.parse::<u64>()) {
        None => None,
        Some(Ok(length)) => Some(length),
        Some(Err(_)) => return Err(protocol("a Content-Length that is no number".to_owned())),
    };
    let validator = header(answer, "etag").filter(|tag| tag.starts_with('"'));
    let validator = validator.or_else(|| header(answer, "last-modified"));
    let encoding = header(answer, "content-encoding").filter(|it| it != "identity");
    let head = Head {
        offset: 0,
        total: length,
        validator,
        encoding,
        is_whole: false,
    };
    let Some(resume) = &question.resume else {
        return match answer.status().as_u16() {
            200 => Ok(head),
            status => Err(protocol(format!("status {status}, unasked"))),
        };
    };
    match answer.status().as_u16() {
        200 => Ok(head),
        206 => {
            let range = header(answer, "content-range").unwrap_or_default();
            let (begin, total) = part_of(&range)
                .ok_or_else(|| protocol(format!("a part of a file, which it says is `{range}`")))?;
            let is_other = resume.validator.is_some() && resume.validator != head.validator;
            let is_odd = length.is_some_and(|length| begin + length != total);
            if begin != resume.offset || is_other || is_odd {
                return Err(Stop::OtherFile);
            }
            Ok(Head {
                offset: begin,
                total: Some(total),
                ..head
            })
        }
        _ => {
            // Nothing is behind what is there: it is the whole file, or not the beginning of it.
            let range = header(answer, "content-range").unwrap_or_default();
            let total = range
                .strip_prefix("bytes */")
                .and_then(|it| it.parse().ok());
            match total {
                Some(total) if total == resume.offset => Ok(Head {
                    offset: total,
                    total: Some(total),
                    is_whole: true,
                    ..head
                }),
                _ => Err(Stop::OtherFile),
            }
        }
    }
}

/// Reads `bytes BEGIN-END/TOTAL`, where the end has to be that of the file.
fn part_of(range: &str) -> Option<(u64, u64)> {
    let (part, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (begin, last) = part.split_once('-')?;
    let (begin, last, total) = (
        begin.parse().ok()?,
        last.parse::<u64>().ok()?,
        total.parse().ok()?,
    );
    let is_to_the_end = last.checked_add(1) == Some(total) && begin <= last;
    is_to_the_end.then_some((begin, total))
}
