//! Annotated hexadecimal text: the only form in which machine code may stand in a workspace.
//!
//! Pairs of hexadecimal digits in either case are bytes; white space may stand anywhere; `#` and
//! `;` begin a comment that reaches to the end of the line. Everything else is refused, so that
//! nothing in the text is without meaning to a reader.

/// Longest text that is read, in bytes. Who reads a file for it reads no more.
pub const HEX_TEXT_BYTES_MAX: u64 = 1 << 20;

/// Why a text is not annotated hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HexTextError {
    /// A byte outside of comments is neither a digit nor white space.
    #[error("line {line}: byte 0x{byte:02x} is neither a hexadecimal digit nor a comment")]
    UnexpectedByte {
        /// The line, from 1.
        line: u32,
        /// The byte.
        byte: u8,
    },
    /// The last digit has no partner.
    #[error("line {line}: the last digit has no second one beside it")]
    OddDigits {
        /// The line of the digit, from 1.
        line: u32,
    },
}

impl HexTextError {
    /// The line the error is on, from 1.
    pub const fn line(&self) -> u32 {
        match self {
            Self::UnexpectedByte { line, .. } | Self::OddDigits { line } => *line,
        }
    }
}

/// Decodes annotated hexadecimal text.
pub fn decode_hex_text(text: &[u8]) -> Result<Vec<u8>, HexTextError> {
    let mut bytes = Vec::new();
    let mut pending: Option<(u8, u32)> = None;
    for (line, content) in (1u32..).zip(text.split(|byte| *byte == b'\n')) {
        let code = content
            .split(|byte| matches!(byte, b'#' | b';'))
            .next()
            .unwrap_or_default();
        for byte in code
            .iter()
            .copied()
            .filter(|byte| !byte.is_ascii_whitespace())
        {
            let digit = char::from(byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok());
            let Some(digit) = digit else {
                return Err(HexTextError::UnexpectedByte { line, byte });
            };
            pending = match pending {
                None => Some((digit, line)),
                Some((high, _)) => {
                    bytes.push(high << 4 | digit);
                    None
                }
            };
        }
    }
    match pending {
        Some((_, line)) => Err(HexTextError::OddDigits { line }),
        None => Ok(bytes),
    }
}
