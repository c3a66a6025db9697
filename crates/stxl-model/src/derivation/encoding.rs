//! The canonical encoding of derivations, byte by byte.

use std::collections::BTreeMap;

use super::{
    Archive, ArchiveFormat, Argv, BuildUid, Compose, Derivation, Exec, Fetch, FetchLock, Image,
    ImageConfig, Import, ImportKind, Keep, Mode, ModeTable, TreeOp, Unpack,
};
use crate::codec::{DecodeError, Decoder, Encoder};
use crate::digest::{DerivationId, Digest, Sha256, TreeId};
use crate::path::RootPath;
use crate::platform::Platform;

/// Longest list that room is made for before it is read.
const LIST_ROOM_MAX: usize = 64;

/// What an encoding can name inputs by: derivation ids, tree ids, or, in a fragment, numbers that
/// stand for ids which are not known yet. All take the same number of bytes.
pub trait Input {
    /// Appends the input.
    fn encode(&self, encoder: &mut Encoder);
}

/// An input that can be read back: derivation ids and tree ids.
pub trait KnownInput: Input + Sized {
    /// Reads an input.
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError>;
}

impl Input for DerivationId {
    fn encode(&self, encoder: &mut Encoder) {
        encoder.raw(self.digest().as_bytes());
    }
}

impl KnownInput for DerivationId {
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder
            .array()
            .map(|bytes| Self::from_digest(Digest::from_bytes(bytes)))
    }
}

impl Input for TreeId {
    fn encode(&self, encoder: &mut Encoder) {
        encoder.raw(self.digest().as_bytes());
    }
}

impl KnownInput for TreeId {
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder
            .array()
            .map(|bytes| Self::from_digest(Digest::from_bytes(bytes)))
    }
}

impl<I: Input> Derivation<I> {
    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        self.encode_into(&mut encoder);
        encoder.finish()
    }

    /// The canonical encoding, and where the inputs stand in it, in the order of
    /// [`Derivation::inputs`], for inputs that leave a hole.
    pub(crate) fn encode_with_holes(&self) -> (Vec<u8>, Vec<usize>) {
        let mut encoder = Encoder::default();
        self.encode_into(&mut encoder);
        encoder.finish_with_holes()
    }

    fn encode_into(&self, encoder: &mut Encoder) {
        match self {
            Self::Fetch(Fetch { lock }) => match lock {
                FetchLock::File(sha256) => {
                    encoder.byte(1);
                    encoder.raw(sha256.as_bytes());
                }
                FetchLock::Tree(tree) => {
                    encoder.byte(8);
                    tree.encode(encoder);
                }
            },
            Self::Import(Import { kind, tree }) => {
                encoder.byte(2);
                encoder.byte(match kind {
                    ImportKind::File => 1,
                    ImportKind::Directory => 2,
                    ImportKind::Seed => 3,
                });
                tree.encode(encoder);
            }
            Self::Unpack(Unpack {
                archive,
                format,
                strip_components,
            }) => {
                encoder.byte(3);
                archive.encode(encoder);
                encode_format(encoder, *format);
                encoder.u32(*strip_components);
            }
            Self::Exec(exec) => encode_exec(encoder, exec),
            Self::Compose(Compose { inputs, ops }) => {
                encoder.byte(5);
                encoder.count(inputs.len());
                inputs.iter().for_each(|input| input.encode(encoder));
                encoder.count(ops.len());
                ops.iter().for_each(|op| op.encode(encoder));
            }
            Self::Archive(Archive {
                tree,
                format,
                modes,
            }) => {
                encoder.byte(6);
                tree.encode(encoder);
                encode_format(encoder, *format);
                encode_modes(encoder, modes);
            }
            Self::Image(Image {
                tree,
                modes,
                config,
            }) => {
                encoder.byte(7);
                tree.encode(encoder);
                encode_modes(encoder, modes);
                encode_config(encoder, config);
            }
        }
    }
}

impl<I: KnownInput> Derivation<I> {
    /// Reads a canonical encoding.
    pub fn decode(encoding: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(encoding);
        let derivation = match decoder.byte()? {
            1 => Self::Fetch(Fetch {
                lock: FetchLock::File(Sha256::from_bytes(decoder.array()?)),
            }),
            8 => Self::Fetch(Fetch {
                lock: FetchLock::Tree(TreeId::decode(&mut decoder)?),
            }),
            2 => Self::Import(decode_import(&mut decoder)?),
            3 => Self::Unpack(Unpack {
                archive: I::decode(&mut decoder)?,
                format: decode_format(&mut decoder)?,
                strip_components: decoder.u32()?,
            }),
            4 => Self::Exec(decode_exec(&mut decoder)?),
            5 => Self::Compose(decode_compose(&mut decoder)?),
            6 => Self::Archive(Archive {
                tree: I::decode(&mut decoder)?,
                format: decode_format(&mut decoder)?,
                modes: decode_modes(&mut decoder)?,
            }),
            7 => Self::Image(Image {
                tree: I::decode(&mut decoder)?,
                modes: decode_modes(&mut decoder)?,
                config: decode_config(&mut decoder)?,
            }),
            _ => return Err(decoder.error("a kind of derivation")),
        };
        decoder.finish()?;
        Ok(derivation)
    }
}

pub(super) fn encode_path(encoder: &mut Encoder, path: &RootPath) {
    encoder.bytes(&path.to_absolute_bytes());
}

pub(super) fn decode_path(decoder: &mut Decoder<'_>) -> Result<RootPath, DecodeError> {
    let error = decoder.error("a path inside a root");
    let bytes = decoder.bytes()?;
    let path = RootPath::parse(bytes).map_err(|_| error.clone())?;
    if path.to_absolute_bytes() == bytes {
        Ok(path)
    } else {
        Err(error)
    }
}

fn encode_exec<I: Input>(encoder: &mut Encoder, exec: &Exec<I>) {
    let Exec {
        root,
        commands,
        env,
        cwd,
        uid,
        keep,
        runs_on,
        target,
        sandbox_abi,
    } = exec;
    encoder.byte(4);
    encoder.u32(*sandbox_abi);
    encoder.byte(runs_on.code());
    encoder.byte(target.code());
    root.encode(encoder);
    encoder.count(commands.len());
    for argv in commands {
        encoder.count(argv.len());
        argv.iter().for_each(|word| encoder.bytes(word));
    }
    encoder.count(env.len());
    for (name, value) in env {
        encoder.bytes(name);
        encoder.bytes(value);
    }
    encode_path(encoder, cwd);
    encoder.byte(match uid {
        BuildUid::Root => 1,
        BuildUid::Tester => 2,
    });
    match keep {
        Keep::Root => encoder.byte(1),
        Keep::Subtree(path) => {
            encoder.byte(2);
            encode_path(encoder, path);
        }
    }
}

fn decode_exec<I: KnownInput>(decoder: &mut Decoder<'_>) -> Result<Exec<I>, DecodeError> {
    let sandbox_abi = decoder.u32()?;
    let runs_on = decode_platform(decoder)?;
    let target = decode_platform(decoder)?;
    let root = I::decode(decoder)?;
    let commands = decode_list(decoder, decode_argv)?;
    if commands.is_empty() {
        return Err(decoder.error("at least one command"));
    }
    let env = decode_sorted(decoder, |decoder| {
        Ok((decoder.bytes()?.to_vec(), decoder.bytes()?.to_vec()))
    })?;
    let cwd = decode_path(decoder)?;
    let uid = match decoder.byte()? {
        1 => BuildUid::Root,
        2 => BuildUid::Tester,
        _ => return Err(decoder.error("a user")),
    };
    let keep = match decoder.byte()? {
        1 => Keep::Root,
        2 => Keep::Subtree(decode_path(decoder)?),
        _ => return Err(decoder.error("what is kept")),
    };
    Ok(Exec {
        root,
        commands,
        env,
        cwd,
        uid,
        keep,
        runs_on,
        target,
        sandbox_abi,
    })
}

fn decode_argv(decoder: &mut Decoder<'_>) -> Result<Argv, DecodeError> {
    let argv: Argv = decode_list(decoder, |decoder| decoder.bytes().map(<[u8]>::to_vec))?;
    if argv.is_empty() {
        Err(decoder.error("at least one word"))
    } else {
        Ok(argv)
    }
}

fn decode_import(decoder: &mut Decoder<'_>) -> Result<Import, DecodeError> {
    let kind = match decoder.byte()? {
        1 => ImportKind::File,
        2 => ImportKind::Directory,
        3 => ImportKind::Seed,
        _ => return Err(decoder.error("a kind of import")),
    };
    Ok(Import {
        kind,
        tree: TreeId::decode(decoder)?,
    })
}

fn decode_compose<I: KnownInput>(decoder: &mut Decoder<'_>) -> Result<Compose<I>, DecodeError> {
    let inputs = decode_list(decoder, I::decode)?;
    let ops = decode_list(decoder, TreeOp::decode)?;
    Ok(Compose { inputs, ops })
}

/// Reads a list. Room is made for its items at once, as long as it is a short one: the number may
/// be a lie.
fn decode_list<'d, T>(
    decoder: &mut Decoder<'d>,
    item: impl Fn(&mut Decoder<'d>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = decoder.count()?;
    let mut items = Vec::with_capacity(count.min(LIST_ROOM_MAX));
    for _ in 0..count {
        items.push(item(decoder)?);
    }
    Ok(items)
}

fn decode_platform(decoder: &mut Decoder<'_>) -> Result<Platform, DecodeError> {
    let error = decoder.error("a platform");
    Platform::from_code(decoder.byte()?).ok_or(error)
}

fn encode_format(encoder: &mut Encoder, format: ArchiveFormat) {
    encoder.byte(match format {
        ArchiveFormat::Tar => 1,
        ArchiveFormat::Cpio => 2,
        ArchiveFormat::Zip => 3,
        ArchiveFormat::Deb => 4,
    });
}

fn decode_format(decoder: &mut Decoder<'_>) -> Result<ArchiveFormat, DecodeError> {
    match decoder.byte()? {
        1 => Ok(ArchiveFormat::Tar),
        2 => Ok(ArchiveFormat::Cpio),
        3 => Ok(ArchiveFormat::Zip),
        4 => Ok(ArchiveFormat::Deb),
        _ => Err(decoder.error("a format of archives")),
    }
}

fn encode_modes(encoder: &mut Encoder, modes: &ModeTable) {
    encoder.count(modes.len());
    for (
        path,
        Mode {
            bits,
            uid,
            gid,
            capabilities,
        },
    ) in modes
    {
        encode_path(encoder, path);
        encoder.u32(*bits);
        encoder.u32(*uid);
        encoder.u32(*gid);
        encoder.u64(*capabilities);
    }
}

fn decode_modes(decoder: &mut Decoder<'_>) -> Result<ModeTable, DecodeError> {
    decode_sorted(decoder, |decoder| {
        let path = decode_path(decoder)?;
        let mode = Mode {
            bits: decoder.u32()?,
            uid: decoder.u32()?,
            gid: decoder.u32()?,
            capabilities: decoder.u64()?,
        };
        Ok((path, mode))
    })
}

fn encode_config(encoder: &mut Encoder, config: &ImageConfig) {
    let ImageConfig {
        name,
        version,
        platform,
        env,
        user,
        entrypoint,
        cmd,
        cwd,
    } = config;
    encoder.text(name);
    encoder.text(version);
    encoder.byte(platform.code());
    encoder.count(env.len());
    for (name, value) in env {
        encoder.text(name);
        encoder.text(value);
    }
    encoder.text(user);
    for words in [entrypoint, cmd] {
        encoder.count(words.len());
        words.iter().for_each(|word| encoder.text(word));
    }
    encode_path(encoder, cwd);
}

fn decode_config(decoder: &mut Decoder<'_>) -> Result<ImageConfig, DecodeError> {
    let words = |decoder: &mut Decoder<'_>| -> Result<Vec<String>, DecodeError> {
        (0..decoder.count()?)
            .map(|_| decoder.text().map(str::to_owned))
            .collect()
    };
    Ok(ImageConfig {
        name: decoder.text()?.to_owned(),
        version: decoder.text()?.to_owned(),
        platform: decode_platform(decoder)?,
        env: decode_sorted(decoder, |decoder| {
            Ok((decoder.text()?.to_owned(), decoder.text()?.to_owned()))
        })?,
        user: decoder.text()?.to_owned(),
        entrypoint: words(decoder)?,
        cmd: words(decoder)?,
        cwd: decode_path(decoder)?,
    })
}

/// Reads a map whose keys have to be strictly increasing, so that there is one form only.
fn decode_sorted<K: Ord, V>(
    decoder: &mut Decoder<'_>,
    mut entry: impl FnMut(&mut Decoder<'_>) -> Result<(K, V), DecodeError>,
) -> Result<BTreeMap<K, V>, DecodeError> {
    let mut map = BTreeMap::new();
    for _ in 0..decoder.count()? {
        let error = decoder.error("keys in increasing order");
        let (key, value) = entry(decoder)?;
        if map.last_key_value().is_some_and(|(last, _)| *last >= key) {
            return Err(error);
        }
        map.insert(key, value);
    }
    Ok(map)
}
