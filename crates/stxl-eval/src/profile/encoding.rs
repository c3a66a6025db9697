//! A profile on its way from the child process.

use std::sync::Arc;

use stxl_lang::SourcePath;
use stxl_lang::profile::{Activity, Spent};
use stxl_model::{DecodeError, Decoder, Encoder, PackageLabel};

use super::Profile;

/// Activities inside one another: phases of packages that read others, and functions in each.
const DEPTH_MAX: usize = 2000;

pub(super) fn encode(profile: &Profile) -> Vec<u8> {
    let mut encoder = Encoder::default();
    encoder.u64(profile.threads as u64);
    encoder.u64(profile.wall_ns);
    encode_inside(&mut encoder, &profile.spent);
    encoder.finish()
}

pub(super) fn decode(bytes: &[u8]) -> Result<Profile, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    let threads = usize::try_from(decoder.u64()?).unwrap_or(0);
    let wall_ns = decoder.u64()?;
    let mut spent = Spent::default();
    decode_inside(&mut decoder, &mut spent, DEPTH_MAX)?;
    decoder.finish()?;
    Ok(Profile {
        threads,
        wall_ns,
        spent,
    })
}

fn encode_inside(encoder: &mut Encoder, spent: &Spent) {
    encoder.count(spent.inside.len());
    for (activity, spent) in &spent.inside {
        let (kind, text) = match activity {
            Activity::List => (0, ""),
            Activity::Compile(path) => (1, path.as_str()),
            Activity::Define(label) => (2, label.as_str()),
            Activity::Expand(label) => (3, label.as_str()),
            Activity::Lower(label) => (4, label.as_str()),
            Activity::Link => (5, ""),
            Activity::Function { path, .. } => (6, path.as_str()),
            Activity::Builder(name) => (7, &**name),
            Activity::Profiling => (8, ""),
        };
        encoder.byte(kind);
        encoder.text(text);
        if let Activity::Function { name, .. } = activity {
            encoder.text(name);
        }
        encoder.u64(spent.calls);
        encoder.u64(spent.self_ns);
        encode_inside(encoder, spent);
    }
}

fn decode_inside(
    decoder: &mut Decoder<'_>,
    around: &mut Spent,
    depth_left: usize,
) -> Result<(), DecodeError> {
    for _ in 0..decoder.count()? {
        let error = decoder.error("an activity");
        let kind = decoder.byte()?;
        let text = decoder.text()?;
        let label = || PackageLabel::parse(text).map_err(|_| error.clone());
        let activity = match kind {
            0 => Activity::List,
            1 => Activity::Compile(SourcePath::new(text)),
            2 => Activity::Define(label()?),
            3 => Activity::Expand(label()?),
            4 => Activity::Lower(label()?),
            5 => Activity::Link,
            6 => Activity::Function {
                path: SourcePath::new(text),
                name: Arc::from(decoder.text()?),
            },
            7 => Activity::Builder(Arc::from(text)),
            8 => Activity::Profiling,
            _ => return Err(error),
        };
        let mut spent = Spent {
            calls: decoder.u64()?,
            self_ns: decoder.u64()?,
            ..Spent::default()
        };
        let depth_left = depth_left.checked_sub(1).ok_or(error)?;
        decode_inside(decoder, &mut spent, depth_left)?;
        around.inside.insert(activity, spent);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use stxl_lang::profile::{Activity, Spent};

    use super::super::Profile;
    use super::{decode, encode};

    #[test]
    fn what_is_written_is_read_and_damage_is_noticed() {
        let of = |activity, inside| {
            let spent = Spent {
                calls: 3,
                self_ns: 7,
                inside,
            };
            BTreeMap::from([(activity, spent)])
        };
        let inner = of(Activity::Builder("make".into()), BTreeMap::new());
        let spent = Spent {
            inside: of(Activity::Compile(stxl_lang::SourcePath::new("a")), inner),
            ..Spent::default()
        };
        let profile = Profile {
            threads: 2,
            wall_ns: 9,
            spent,
        };
        let bytes = encode(&profile);
        assert_eq!(decode(&bytes).unwrap(), profile);
        assert!((0..bytes.len()).all(|end| decode(&bytes[..end]).is_err()));
    }
}
