//! The list of packages as it is remembered, with all that it was made of.

use stxl_lang::{Diagnostic, SourcePath};
use stxl_model::{DecodeError, Decoder, Encoder, PackageLabel};

use crate::diagnostic_wire;
use crate::layout::{Layers, Layout, Listing, layer_folders, list_packages};
use crate::read::{Found, Read};
use crate::record::{Records, decode_label, decode_list, decode_numbers, encode_numbers, number};
use crate::settings::{SETTINGS_FILE, Settings};
use crate::source_tree::WorkspaceTree;

/// The packages of a workspace beside records of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    /// All packages of the workspace.
    pub(crate) layout: Layout,
    /// Positions of the reads that the list of packages and the settings were made of.
    pub(crate) reads: Vec<u32>,
    /// What is to be said about these.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// The reads that tell whether the list of packages is what it is: the settings, and what is looked
/// at to make it, found or not.
pub(crate) fn reads_of_listing(tree: &dyn WorkspaceTree, settings: &Settings) -> Vec<Read> {
    let mut reads = vec![Read::File(SourcePath::new(SETTINGS_FILE))];
    let layers = layer_folders(settings).into_iter();
    reads.extend(layers.map(|layer| Read::Folder(SourcePath::new(&layer))));
    reads.extend(list_packages(tree, settings).reads.into_keys());
    reads
}

impl Listing {
    /// Whether something is wrong with it, so that there is no plan.
    pub(crate) fn is_wrong(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// Puts on record what the list was made of: exactly what was seen when it was made, so that
    /// whatever changed since is noticed at the next look. None if it was something else before,
    /// for then the records are of another workspace.
    pub(crate) fn note_in(self, records: &mut Records) -> Option<Listed> {
        let Self {
            layout,
            diagnostics,
            reads,
        } = self;
        let known = &mut records.reads;
        let settings = Read::File(SourcePath::new(SETTINGS_FILE));
        let mut positions = vec![number(known.get_index_of(&settings)?)];
        for (read, look) in reads {
            // A definition that was read needs no second look: without bytes it is gone.
            if let Read::PackageFile(path) = &read
                && look.found == Found::Something
                && let Some(text) = known.get(&Read::File(path.clone()))
                && matches!(text.found, Found::Bytes(_))
            {
                continue;
            }
            let (position, former) = known.insert_full(read, look);
            if former.is_some_and(|former| former.found != look.found) {
                return None;
            }
            positions.push(number(position));
        }
        Some(Listed {
            layout,
            reads: positions,
            diagnostics,
        })
    }
}

impl Listed {
    /// Writes the list beside records: of packages on record, only what these do not tell. The
    /// positions of its reads are those in the records that are written.
    pub(crate) fn encode(&self, records: &Records, reads: &[u32], encoder: &mut Encoder) {
        let packages = &self.layout.packages;
        let is_on_record = |(label, layers): &(&PackageLabel, &Layers)| {
            let package = records.packages.get(*label);
            package.is_some_and(|package| package.layers == **layers)
        };
        let others: Vec<_> = packages.iter().filter(|it| !is_on_record(it)).collect();
        encoder.count(others.len());
        for (label, layers) in others {
            encoder.text(label.as_str());
            encoder.count(layers.len());
            layers.iter().for_each(|layer| encoder.text(layer.as_str()));
        }
        let on_record = records.packages.keys();
        let gone: Vec<_> = on_record.filter(|it| !packages.contains_key(*it)).collect();
        encoder.count(gone.len());
        gone.iter().for_each(|label| encoder.text(label.as_str()));
        encode_numbers(encoder, reads);
        // What has no form as JSON does not exist among diagnostics: texts and numbers.
        encoder.bytes(&diagnostic_wire::to_json(&self.diagnostics).unwrap_or_default());
    }

    /// Reads the list beside records.
    pub(crate) fn decode(
        decoder: &mut Decoder<'_>,
        records: &Records,
    ) -> Result<Self, DecodeError> {
        let beside = BesideRecords::decode(decoder, records.reads.len())?;
        Ok(beside.complete(records))
    }
}

/// The list as it is written.
pub(super) struct BesideRecords {
    /// Packages that are not on record, or with other files.
    others: Vec<(PackageLabel, Layers)>,
    /// Packages on record that are not there.
    gone: Vec<PackageLabel>,
    /// Positions of reads.
    pub(super) reads: Vec<u32>,
    diagnostics: Vec<Diagnostic>,
}

impl BesideRecords {
    /// Reads it. So many reads were written with it.
    pub(super) fn decode(
        decoder: &mut Decoder<'_>,
        read_count: usize,
    ) -> Result<Self, DecodeError> {
        let others = decode_list(decoder, |decoder| {
            let label = decode_label(decoder)?;
            let layers = decode_list(decoder, |decoder| Ok(SourcePath::new(decoder.text()?)))?;
            Ok((label, layers.into()))
        })?;
        let gone = decode_list(decoder, decode_label)?;
        let reads = decode_numbers(decoder, read_count)?;
        let error = decoder.error("diagnostics");
        let diagnostics = diagnostic_wire::from_json(decoder.bytes()?).map_err(|_| error)?;
        Ok(Self {
            others,
            gone,
            reads,
            diagnostics,
        })
    }

    /// Completes it with what records tell.
    pub(super) fn complete(self, records: &Records) -> Listed {
        let on_record = records.packages.iter();
        let on_record = on_record.map(|(label, package)| (label.clone(), package.layers.clone()));
        let mut layout = Layout {
            packages: on_record.collect(),
        };
        layout.packages.extend(self.others);
        for label in &self.gone {
            layout.packages.remove(label);
        }
        Listed {
            layout,
            reads: self.reads,
            diagnostics: self.diagnostics,
        }
    }
}
