//! A definition for another version of a source: with its hash, and its version by templates.
//! says it by a template.

/// What is written in the place of a version in an address that follows it.
const TEMPLATE: &str = "{version}";

/// A source as it is and as it is to be.
pub(super) struct Change<'c> {
    /// Its address, with templates expanded.
    pub(super) address: &'c str,
    /// Its hash, as definitions write it.
    pub(super) hash: &'c str,
    /// The version of the package.
    pub(super) version: &'c str,
    pub(super) new_address: &'c str,
    pub(super) new_hash: &'c str,
}

/// A text that was rewritten.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rewritten {
    pub(super) text: String,
    /// The new version of the package, if it follows the source.
    pub(super) version: Option<String>,
}

/// Rewrites a definition. Fails with what stands in the way, as a sentence.
pub(super) fn rewrite(text: &str, change: &Change<'_>) -> Result<Rewritten, String> {
    let count = text.matches(change.hash).count();
    if count != 1 {
        return Err(format!(
            "its hash stands {count} times in the file, not once"
        ));
    }
    let (literal, new_literal, version) = new_address(text, change)?;
    let mut text = text.replacen(&quoted(&literal), &quoted(&new_literal), 1);
    text = text.replace(change.hash, change.new_hash);
    if let Some(version) = &version {
        let (old, new) = (quoted(change.version), quoted(version));
        let field = |value: &str| format!("version: {value}");
        if !text.contains(&field(&old)) {
            return Err(format!("`{}` is not in the file", field(&old)));
        }
        text = text.replacen(&field(&old), &field(&new), 1);
    }
    Ok(Rewritten { text, version })
}

/// The address as the file writes it, what is to stand there, and the version if that follows.
fn new_address(
    text: &str,
    change: &Change<'_>,
) -> Result<(String, String, Option<String>), String> {
    if text.contains(&quoted(change.address)) {
        return Ok((
            change.address.to_owned(),
            change.new_address.to_owned(),
            None,
        ));
    }
    let literals = text.split('"').skip(1).step_by(2);
    let literal = literals
        .filter(|literal| literal.contains(TEMPLATE))
        .find(|literal| literal.replace(TEMPLATE, change.version) == change.address)
        .ok_or("its address is not written out in the file, or by another template")?;
    let version = version_in(literal, change.new_address)
        .ok_or_else(|| format!("`{literal}` cannot become `{}`", change.new_address))?;
    Ok((literal.to_owned(), literal.to_owned(), Some(version)))
}

/// The version for which a literal with templates becomes an address.
fn version_in(literal: &str, address: &str) -> Option<String> {
    let pieces = literal.split(TEMPLATE);
    let fixed: usize = pieces.clone().map(str::len).sum();
    let count = pieces.count().checked_sub(1).filter(|count| *count > 0)?;
    let length = address.len().checked_sub(fixed)?.checked_div(count)?;
    let begin = literal.find(TEMPLATE)?;
    let version = address.get(begin..begin + length)?;
    (literal.replace(TEMPLATE, version) == address).then(|| version.to_owned())
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::{Change, Rewritten, rewrite};

    const FOLLOWS: &str = "autotools(#{
    version: \"1.4\",
    source: url(\"pkg:deb/debian/m4@{version}?arch=source&file=m4_{version}.orig.tar.xz\",
        \"sha256:aa\"),
})
";
    const WRITTEN_OUT: &str = "x(#{
    version: \"13\",
    sources: #{ a: url(\"pkg:deb/debian/a@1-2?arch=amd64\", \"sha256:aa\") },
})
";

    fn change<'c>(version: &'c str, address: &'c str, new_address: &'c str) -> Change<'c> {
        Change {
            address,
            hash: "sha256:aa",
            version,
            new_address,
            new_hash: "sha256:bb",
        }
    }

    #[test]
    fn the_version_follows_a_template() {
        let address = "pkg:deb/debian/m4@1.4?arch=source&file=m4_1.4.orig.tar.xz";
        let new = "pkg:deb/debian/m4@1.4.19?arch=source&file=m4_1.4.19.orig.tar.xz";
        let rewritten = rewrite(FOLLOWS, &change("1.4", address, new));
        let text = FOLLOWS
            .replace("\"1.4\"", "\"1.4.19\"")
            .replace(":aa", ":bb");
        let version = Some("1.4.19".to_owned());
        assert_eq!(rewritten, Ok(Rewritten { text, version }));
    }

    #[test]
    fn an_address_that_is_written_out_is_replaced() {
        let address = "pkg:deb/debian/a@1-2?arch=amd64";
        let new = "pkg:deb/debian/a@1-3?arch=amd64";
        let rewritten = rewrite(WRITTEN_OUT, &change("13", address, new));
        let text = WRITTEN_OUT.replace("1-2", "1-3").replace(":aa", ":bb");
        assert_eq!(
            rewritten,
            Ok(Rewritten {
                text,
                version: None
            })
        );
    }

    #[test]
    fn what_cannot_be_rewritten_is_left() {
        let address = "pkg:deb/debian/m4@1.4?arch=source&file=m4_1.4.orig.tar.xz";
        // Another file name than the template gives.
        let new = "pkg:deb/debian/m4@1.5?arch=source&file=m4_1.6.orig.tar.xz";
        rewrite(FOLLOWS, &change("1.4", address, new)).unwrap_err();
        let twice = FOLLOWS.repeat(2);
        rewrite(&twice, &change("1.4", address, new)).unwrap_err();
        rewrite("no text", &change("1.4", address, new)).unwrap_err();
    }
}
