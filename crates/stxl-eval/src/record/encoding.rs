//! Records as bytes: what crosses from the child, and what is kept between evaluations.
//!
//! Labels, configurations and names of outputs are written once and named by number. Every number
//! is checked when it is read; fragments are checked when they are linked.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::io::Write;
use std::sync::Arc;

use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;
use stxl_lang::SourcePath;
use stxl_model::{
    BlobId, DecodeError, Decoder, Digest, Encoder, Fragment, OutputName, PackageLabel, Platform,
    TreeId,
};

use super::pieces::Pieces;
use super::{ConfigurationRecord, NodeRecord, PackageRecord, Reads, Records, Remarks, number};
use crate::database::Configured;
use crate::diagnostic_wire;
use crate::node::NodeKey;
use crate::queries::PackageFacts;
use crate::read::{Found, Look, Read};
use crate::source_tree::Stamp;

/// Values that are written once, in the order in which they were first named.
struct Table<T>(IndexSet<T, FxBuildHasher>);

impl<'r, T: Eq + Hash> Table<&'r T> {
    fn add(&mut self, value: &'r T) {
        self.0.insert(value);
    }

    fn position(&self, value: &T) -> u32 {
        // All were added before.
        self.0.get_index_of(value).map_or(u32::MAX, number)
    }
}

struct Tables<'r> {
    labels: Table<&'r PackageLabel>,
    configurations: Table<&'r Configured>,
    outputs: Table<&'r OutputName>,
}

impl<'r> Tables<'r> {
    /// Everything that records name.
    fn of(records: &'r Records) -> Self {
        let mut tables = Self {
            labels: Table(IndexSet::default()),
            configurations: Table(IndexSet::default()),
            outputs: Table(IndexSet::default()),
        };
        for node in &records.nodes {
            tables.labels.add(&node.label);
            tables.configurations.add(&node.configured);
            tables.outputs.add(&node.output);
        }
        for (label, package) in &records.packages {
            tables.labels.add(label);
            let named = package.values_of().chain(&package.named);
            named.for_each(|label| tables.labels.add(label));
            for configuration in &package.configurations {
                tables.configurations.add(&configuration.configured);
                let outputs = configuration.outputs.iter().chain(&configuration.tests);
                outputs.for_each(|output| tables.outputs.add(output));
            }
        }
        tables
    }

    fn encode(&self, encoder: &mut Encoder) {
        encoder.count(self.labels.0.len());
        for label in &self.labels.0 {
            encoder.text(label.as_str());
        }
        encoder.count(self.configurations.0.len());
        for Configured { platform, options } in &self.configurations.0 {
            encoder.byte(platform.code());
            encoder.count(options.len());
            for (name, value) in options.iter() {
                encoder.text(name);
                encoder.text(value);
            }
        }
        encoder.count(self.outputs.0.len());
        for output in &self.outputs.0 {
            encoder.text(output.as_str());
        }
    }
}

impl Records {
    /// Writes the records: first the tables that the rest names by number, then the rest.
    pub(crate) fn encode(&self, pieces: &mut Pieces<impl Write>) -> std::io::Result<()> {
        let tables = Tables::of(self);
        tables.encode(pieces.encoder());
        pieces.encoder().count(self.nodes.len());
        for node in &self.nodes {
            let encoder = pieces.encoder();
            encoder.u32(tables.labels.position(&node.label));
            encoder.u32(tables.configurations.position(&node.configured));
            encoder.u32(tables.outputs.position(&node.output));
            pieces.settle()?;
        }
        pieces.encoder().count(self.reads.len());
        for (read, look) in &self.reads {
            let encoder = pieces.encoder();
            encode_read(encoder, read);
            encode_found(encoder, look.found);
            encode_stamp(encoder, look.stamp.as_ref());
            pieces.settle()?;
        }
        pieces.encoder().count(self.packages.len());
        for (label, package) in &self.packages {
            pieces.encoder().u32(tables.labels.position(label));
            self.encode_package(pieces.encoder(), &tables, package);
            pieces.settle()?;
        }
        Ok(())
    }

    /// About how many bytes they take, or some more, so that whoever reads them has room.
    pub(crate) fn size_estimate(&self) -> usize {
        const NODE_BYTES: usize = 96;
        const READ_BYTES: usize = 192;
        const PACKAGE_BYTES: usize = 256;
        let nodes = self.packages.values().flat_map(|package| &package.nodes);
        let numbers = |(_, node): &(u32, NodeRecord)| {
            node.fragment.as_bytes().len() + 4 * node.references().count()
        };
        let fragments: usize = nodes.map(numbers).sum();
        fragments
            + self.nodes.len() * NODE_BYTES
            + self.reads.len() * READ_BYTES
            + self.packages.len() * PACKAGE_BYTES
    }

    fn encode_package(&self, body: &mut Encoder, tables: &Tables<'_>, package: &PackageRecord) {
        let PackageRecord {
            layers,
            reads,
            remarks,
            named,
            facts,
            configurations,
            nodes,
        } = package;
        // A definition is among what was read.
        let read_of = |path: &SourcePath| self.reads.get_index_of(&Read::File(path.clone()));
        let layers: Vec<u32> = layers.iter().filter_map(read_of).map(number).collect();
        encode_numbers(body, &layers);
        encode_numbers(body, reads);
        encode_labels(body, tables, named);
        encode_remarks(body, tables, remarks);
        encode_facts(body, facts);
        body.count(configurations.len());
        for ConfigurationRecord {
            configured,
            outputs,
            tests,
            remarks,
        } in configurations
        {
            body.u32(tables.configurations.position(configured));
            for names in [outputs, tests] {
                let names: Vec<u32> = names.iter().map(|it| tables.outputs.position(it)).collect();
                encode_numbers(body, &names);
            }
            encode_remarks(body, tables, remarks);
        }
        body.count(nodes.len());
        for (
            position,
            NodeRecord {
                needs,
                brings,
                fragment,
            },
        ) in nodes
        {
            body.u32(*position);
            encode_numbers(body, needs);
            encode_numbers(body, brings);
            body.bytes(fragment.as_bytes());
        }
    }

    /// Reads records. The reader began at the beginning of the bytes, which fragments stay part of.
    pub(crate) fn decode(
        decoder: &mut Decoder<'_>,
        bytes: &Arc<Vec<u8>>,
    ) -> Result<Self, DecodeError> {
        let labels = decode_list(decoder, decode_label)?;
        let configurations = decode_list(decoder, decode_configured)?;
        let outputs = decode_list(decoder, |decoder| {
            let error = decoder.error("the name of an output");
            OutputName::parse(decoder.text()?).map_err(|_| error)
        })?;
        let nodes = decode_list(decoder, |decoder| {
            Ok(NodeKey {
                label: decode_named(decoder, &labels)?,
                configured: decode_named(decoder, &configurations)?,
                output: decode_named(decoder, &outputs)?,
            })
        })?;
        let reads = decode_list(decoder, |decoder| {
            let read = decode_read(decoder)?;
            let found = decode_found(decoder)?;
            let stamp = decode_stamp(decoder)?;
            Ok((read, Look { found, stamp }))
        })?;
        let read_count = reads.len();
        let reader = Reader {
            bytes,
            labels,
            configurations,
            outputs,
            node_count: nodes.len(),
            reads: reads.into_iter().collect(),
        };
        let mut packages = BTreeMap::new();
        for _ in 0..decoder.count()? {
            let label = decode_named(decoder, &reader.labels)?;
            packages.insert(label, reader.package(decoder)?);
        }
        let records = Self {
            nodes: nodes.into_iter().collect(),
            reads: reader.reads,
            packages,
        };
        // What stands twice in a list would move every number after it.
        if records.nodes.len() == reader.node_count && records.reads.len() == read_count {
            Ok(records)
        } else {
            Err(decoder.error("nodes and reads without duplicates"))
        }
    }
}

struct Reader<'b> {
    bytes: &'b Arc<Vec<u8>>,
    labels: Vec<PackageLabel>,
    configurations: Vec<Configured>,
    outputs: Vec<OutputName>,
    node_count: usize,
    reads: Reads,
}

impl Reader<'_> {
    fn labels(&self, decoder: &mut Decoder<'_>) -> Result<Vec<PackageLabel>, DecodeError> {
        decode_list(decoder, |decoder| decode_named(decoder, &self.labels))
    }

    fn remarks(&self, decoder: &mut Decoder<'_>) -> Result<Remarks, DecodeError> {
        let values_of = self.labels(decoder)?;
        let error = decoder.error("diagnostics");
        let diagnostics = diagnostic_wire::from_json(decoder.bytes()?).map_err(|_| error)?;
        Ok(Remarks {
            values_of,
            diagnostics,
        })
    }

    fn fragment(&self, decoder: &mut Decoder<'_>) -> Result<Fragment, DecodeError> {
        let count = decoder.bytes()?.len();
        let end = decoder.offset();
        Ok(Fragment::part_of(
            self.bytes,
            end.saturating_sub(count)..end,
        ))
    }

    fn package(&self, decoder: &mut Decoder<'_>) -> Result<PackageRecord, DecodeError> {
        let error = decoder.error("a definition among what was read");
        let layers = decode_numbers(decoder, self.reads.len())?;
        let layers = layers.into_iter().map(|position| {
            let read = self.reads.get_index(position as usize);
            read.map(|(read, _)| read.path().clone())
        });
        let layers: Vec<SourcePath> = layers.collect::<Option<_>>().ok_or(error)?;
        let reads = decode_numbers(decoder, self.reads.len())?;
        let named = self.labels(decoder)?;
        let remarks = self.remarks(decoder)?;
        let facts = decode_facts(decoder)?;
        let configurations = decode_list(decoder, |decoder| {
            let name = |decoder: &mut Decoder<'_>| decode_named(decoder, &self.outputs);
            Ok(ConfigurationRecord {
                configured: decode_named(decoder, &self.configurations)?,
                outputs: decode_list(decoder, name)?,
                tests: decode_list(decoder, name)?,
                remarks: self.remarks(decoder)?,
            })
        })?;
        let nodes = decode_list(decoder, |decoder| {
            let position = decode_number(decoder, self.node_count)?;
            let record = NodeRecord {
                needs: decode_numbers(decoder, self.node_count)?,
                brings: decode_numbers(decoder, self.node_count)?,
                fragment: self.fragment(decoder)?,
            };
            Ok((position, record))
        })?;
        Ok(PackageRecord {
            layers: layers.into(),
            reads,
            remarks,
            named,
            facts,
            configurations,
            nodes,
        })
    }
}

pub(crate) fn encode_facts(encoder: &mut Encoder, facts: &PackageFacts) {
    let PackageFacts { platforms, options } = facts;
    encoder.byte(u8::from(platforms.is_some()));
    let platforms = platforms.as_deref().unwrap_or_default();
    encoder.count(platforms.len());
    let codes = platforms.iter().map(|platform| platform.code());
    codes.for_each(|code| encoder.byte(code));
    encoder.count(options.len());
    options.iter().for_each(|option| encoder.text(option));
}

pub(crate) fn decode_facts(decoder: &mut Decoder<'_>) -> Result<PackageFacts, DecodeError> {
    let has_platforms = decoder.byte()? != 0;
    let platforms = decode_list(decoder, decode_platform)?;
    let options = decode_list(decoder, |decoder| decoder.text().map(str::to_owned))?;
    Ok(PackageFacts {
        platforms: has_platforms.then_some(platforms),
        options,
    })
}

fn encode_labels(encoder: &mut Encoder, tables: &Tables<'_>, labels: &[PackageLabel]) {
    let labels: Vec<u32> = labels.iter().map(|it| tables.labels.position(it)).collect();
    encode_numbers(encoder, &labels);
}

fn encode_remarks(encoder: &mut Encoder, tables: &Tables<'_>, remarks: &Remarks) {
    encode_labels(encoder, tables, &remarks.values_of);
    // What has no form as JSON does not exist among diagnostics: texts and numbers.
    let json = diagnostic_wire::to_json(&remarks.diagnostics).unwrap_or_default();
    encoder.bytes(&json);
}

pub(crate) fn encode_numbers(encoder: &mut Encoder, numbers: &[u32]) {
    encoder.count(numbers.len());
    numbers.iter().for_each(|number| encoder.u32(*number));
}

fn decode_number(decoder: &mut Decoder<'_>, below: usize) -> Result<u32, DecodeError> {
    let error = decoder.error("a number inside its table");
    let number = decoder.u32()?;
    if (number as usize) < below {
        Ok(number)
    } else {
        Err(error)
    }
}

pub(crate) fn decode_numbers(
    decoder: &mut Decoder<'_>,
    below: usize,
) -> Result<Vec<u32>, DecodeError> {
    decode_list(decoder, |decoder| decode_number(decoder, below))
}

fn decode_named<T: Clone>(decoder: &mut Decoder<'_>, table: &[T]) -> Result<T, DecodeError> {
    let error = decoder.error("a number inside its table");
    let value = table.get(decoder.u32()? as usize);
    value.cloned().ok_or(error)
}

pub(crate) fn decode_list<T>(
    decoder: &mut Decoder<'_>,
    mut item: impl FnMut(&mut Decoder<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    (0..decoder.count()?).map(|_| item(decoder)).collect()
}

pub(crate) fn decode_label(decoder: &mut Decoder<'_>) -> Result<PackageLabel, DecodeError> {
    let error = decoder.error("a label");
    PackageLabel::parse(decoder.text()?).map_err(|_| error)
}

fn decode_platform(decoder: &mut Decoder<'_>) -> Result<Platform, DecodeError> {
    let error = decoder.error("a platform");
    Platform::from_code(decoder.byte()?).ok_or(error)
}

fn decode_configured(decoder: &mut Decoder<'_>) -> Result<Configured, DecodeError> {
    let platform = decode_platform(decoder)?;
    let options = decode_list(decoder, |decoder| {
        Ok((decoder.text()?.to_owned(), decoder.text()?.to_owned()))
    })?;
    Ok(Configured {
        platform,
        options: Arc::new(options.into_iter().collect()),
    })
}

pub(crate) fn encode_read(encoder: &mut Encoder, read: &Read) {
    encoder.byte(match read {
        Read::File(_) => 1,
        Read::Presence(_) => 2,
        Read::Folder(_) => 3,
        Read::Directory(_) => 4,
        Read::PackageFile(_) => 5,
        Read::Import(_) => 6,
        Read::Layer(_) => 7,
    });
    encoder.text(read.path().as_str());
    if let Read::Directory((_, ignore)) = read {
        encoder.count(ignore.len());
        ignore.iter().for_each(|glob| encoder.text(glob));
    }
}

pub(crate) fn decode_read(decoder: &mut Decoder<'_>) -> Result<Read, DecodeError> {
    let error = decoder.error("something that was read");
    let kind = decoder.byte()?;
    let path = SourcePath::new(decoder.text()?);
    Ok(match kind {
        1 => Read::File(path),
        2 => Read::Presence(path),
        3 => Read::Folder(path),
        4 => {
            let ignore = decode_list(decoder, |decoder| decoder.text().map(str::to_owned))?;
            Read::Directory((path, ignore))
        }
        5 => Read::PackageFile(path),
        6 => Read::Import(path),
        7 => Read::Layer(path),
        _ => return Err(error),
    })
}

fn encode_found(encoder: &mut Encoder, found: Found) {
    match found {
        Found::Nothing => encoder.byte(1),
        Found::Something => encoder.byte(2),
        Found::Directory => encoder.byte(3),
        Found::Bytes(id) => {
            encoder.byte(4);
            encoder.raw(id.digest().as_bytes());
        }
        Found::Tree(id) => {
            encoder.byte(5);
            encoder.raw(id.digest().as_bytes());
        }
    }
}

fn encode_stamp(encoder: &mut Encoder, stamp: Option<&Stamp>) {
    let Some(Stamp {
        device,
        inode,
        size_bytes,
        mode,
        modified_ns,
        changed_ns,
    }) = stamp
    else {
        encoder.byte(0);
        return;
    };
    encoder.byte(1);
    encoder.u64(*device);
    encoder.u64(*inode);
    encoder.u64(*size_bytes);
    encoder.u32(*mode);
    encoder.u64(modified_ns.cast_unsigned());
    encoder.u64(changed_ns.cast_unsigned());
}

fn decode_stamp(decoder: &mut Decoder<'_>) -> Result<Option<Stamp>, DecodeError> {
    if decoder.byte()? == 0 {
        return Ok(None);
    }
    Ok(Some(Stamp {
        device: decoder.u64()?,
        inode: decoder.u64()?,
        size_bytes: decoder.u64()?,
        mode: decoder.u32()?,
        modified_ns: decoder.u64()?.cast_signed(),
        changed_ns: decoder.u64()?.cast_signed(),
    }))
}

fn decode_found(decoder: &mut Decoder<'_>) -> Result<Found, DecodeError> {
    let error = decoder.error("what was found");
    let digest = |decoder: &mut Decoder<'_>| decoder.array().map(Digest::from_bytes);
    Ok(match decoder.byte()? {
        1 => Found::Nothing,
        2 => Found::Something,
        3 => Found::Directory,
        4 => Found::Bytes(BlobId::from_digest(digest(decoder)?)),
        5 => Found::Tree(TreeId::from_digest(digest(decoder)?)),
        _ => return Err(error),
    })
}
